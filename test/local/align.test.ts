import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import { printed, reportDifference, traceCmd, traceCmdSkip, traceHost } from '../report/compare.ts';
import { simulate } from '../simulator/machine.ts';
import { busyMachine, type GuestFile, recordings, shiftBy, traceFiles } from '../simulator/recordings.ts';

const options = { ...busyMachine, durationNs: 1e9 };
const machine = simulate(options);
const program = traceHost.slice(0, 2);
const mayMount = process.geteuid?.() === 0 || process.env['CI'] === 'true';

async function pair(test: TestContext, file: GuestFile) {
  const shift = shiftBy(700_000, machine, options.durationNs);
  return traceFiles(await recordings(test, machine), { shift, ...file });
}

function align(...args: readonly string[]) {
  const [command = '', ...words] = program;
  return printed([command, ...words], ['align', ...args], tmpdir());
}

describe('trace-host align', { timeout: 600_000 }, () => {
  const forms: Readonly<Record<string, { readonly file: GuestFile; readonly by?: readonly string[] }>> = {
    'version 7': { file: { version: 7 } },
    'version 7, zstd': { file: { version: 7, compress: 'zstd' } },
    'version 6': { file: { version: 6 } },
    'version 7 by trace-cmd, zstd': { file: {}, by: ['--file-version', '7', '--compression', 'zstd'] },
    'version 6 by trace-cmd': { file: {}, by: ['--file-version', '6'] },
  };
  for (const [form, { file, by }] of Object.entries(forms))
    it(`${form}: trace-cmd prints the aligned file as trace-host does`, {
      skip: traceCmdSkip(),
    }, async (test) => {
      const { host, guest } = await pair(test, file);
      if (by !== undefined) {
        const theirs = `${guest}.theirs`;
        assert.equal(spawnSync('trace-cmd', ['convert', ...by, '-i', guest, '-o', theirs]).status, 0);
        copyFileSync(theirs, guest);
      }
      const before = printed(traceCmd, ['-t', '-i', guest], tmpdir());
      const { status, stdout, stderr } = align(host);
      assert.equal(status, 0, stderr);
      assert.match(
        String(stdout),
        /s-web\.dat: web, written into .*s-web\.dat\n {2}host clock ahead by \+3600\.\d{9} s, \+\d+\.\d\d ppm, usually within .* \(time-shift and exclusion; \d+ samples.*\)\n$/,
      );
      const after = printed(traceCmd, ['-t', '-i', guest], tmpdir());
      assert.equal(after.status, 0, after.stderr);
      const lines = [before, after].map((report) => String(report.stdout).split('\n'));
      assert.equal(lines[1]!.length, lines[0]!.length);
      assert.notEqual(lines[1]![9], lines[0]![9], 'the times are as before');
      for (const args of [
        ['-t', '-i', guest],
        ['-i', host, '-i', guest],
      ])
        assert.equal(await reportDifference(traceCmd, traceHost, args), undefined);
      const dump = spawnSync('trace-cmd', ['dump', '--options', guest], { encoding: 'latin1' });
      assert.equal(dump.status, 0, dump.stderr);
      assert.match(dump.stdout, /host times by time-shift and exclusion, usually within \d+ ns/);
      const info = printed([...traceHostInfo], [guest], tmpdir());
      assert.match(
        String(info.stdout),
        /^host clock ahead by \+3600\.\d{9} s to \+3600\.\d{9} s, \+\d+\.\d\d ppm, usually within .*time-shift and exclusion; .* \(trace id 1, \d+ samples per CPU\)$/m,
      );
      assert.match(String(info.stdout), /^written by [^\n]*\d$|^written by [^\n]*repo\)$/m);
    });

  const traceHostInfo = [program[0] ?? '', program[1] ?? '', 'info'] as const;

  it('leaves the file as it was when the disk is full', {
    skip: mayMount ? false : 'mounting a small tmpfs takes root',
  }, async (test) => {
    const { host, guest } = await pair(test, { version: 6 });
    const disk = mkdtempSync(join(tmpdir(), 'virtio-trace-align-'));
    // room for both files, and half of a copy
    const bytes = Math.ceil(statSync(host).size + 1.5 * statSync(guest).size);
    assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', disk]).status, 0);
    after(() => {
      spawnSync('umount', [disk]);
      rmSync(disk, { recursive: true });
    });
    for (const [from, name] of [
      [host, 's.dat'],
      [guest, 's-web.dat'],
    ] as const)
      copyFileSync(from, join(disk, name));
    const { status, stderr } = align(join(disk, 's.dat'));
    assert.equal(status, 1);
    assert.match(
      stderr,
      /s-web\.dat: the disk is full after .* free some space, or align a copy of it elsewhere\n/,
    );
    assert.deepEqual(readFileSync(join(disk, 's-web.dat')), readFileSync(guest));
    assert.deepEqual(readdirSync(disk).toSorted(), ['s-web.dat', 's.dat']);
  });

  it('leaves the file as it was when it is killed in the middle', async (test) => {
    const { host, guest } = await pair(test, { version: 7 });
    const old = readFileSync(guest);
    // the kernel kills a process whose file becomes larger than this limit
    const blocks = Math.floor(old.length / 2 / 1024);
    const words = [...program, 'align', host].map((word) => `'${word}'`).join(' ');
    const killed = spawnSync('bash', ['-c', `ulimit -f ${blocks}; exec ${words}`], { encoding: 'utf8' });
    assert.notEqual(killed.status, 0);
    assert.deepEqual(readFileSync(guest), old);
    assert.equal(align(host).status, 0);
    assert.notDeepEqual(readFileSync(guest), old);
  });

  it('prints JSON, and the reason for each guest that it leaves as it is', async (test) => {
    const { host, guest } = await pair(test, { shift: shiftBy(60_000_000, machine, options.durationNs) });
    const { status, stdout, stderr } = align(host, '--json');
    assert.equal(status, 1);
    assert.match(stderr, /web: the switches in .*s\.dat do not confirm the TIME_SHIFT of .*s-web\.dat /);
    const [{ failure, ...found }] = JSON.parse(String(stdout));
    assert.deepEqual(found, { guest: 'web', path: guest, clock: null, written: [], remarks: [] });
    assert.match(failure.message, /do not confirm/);
    mkdirSync(`${host}.empty`);
    assert.equal(align(`${host}.empty`).status, 3);
  });
});
