import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { exitCode } from '../../src/base/failure.ts';
import { repoRoot } from '../repo-root.ts';
import { recordingDir, scratchDir } from '../unit/trace/samples.ts';

const program = join(repoRoot, 'dist/bin/trace-host.js');

function exportTo(...args: string[]): { status: number | null; stdout: Buffer; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'export', ...args], {
    maxBuffer: 1 << 28,
  });
  return { status, stdout, stderr: String(stderr) };
}

function scene(test: TestContext): { readonly recording: string; readonly dir: string } {
  return { recording: recordingDir(test), dir: scratchDir(test) };
}

describe('trace-host export', () => {
  it('writes the same to a file and to stdout', (test) => {
    const { recording, dir } = scene(test);
    const out = join(dir, 'a.pftrace');
    const filed = exportTo(recording, '-o', out);
    assert.equal(filed.stderr, '');
    assert.match(String(filed.stdout), /a\.pftrace: 21843 events, .*\n {2}35899 events were lost/);
    const piped = exportTo(recording, '--to', 'perfetto', '-o', '-');
    assert.deepEqual([piped.status, piped.stderr], [exitCode.done, '']);
    assert.ok(piped.stdout.equals(readFileSync(out)));
    assert.deepEqual(readdirSync(dir), ['a.pftrace']);
  });

  it('does not replace the trace that it reads', (test) => {
    const { recording, dir } = scene(test);
    const before = readFileSync(join(recording, 'cpu0.raw'));
    const { status, stderr } = exportTo(recording, '--to', 'perfetto', '-o', join(recording, 'cpu0.raw'));
    assert.equal(status, exitCode.usage);
    assert.match(stderr, /cpu0\.raw is the input trace/);
    assert.ok(readFileSync(join(recording, 'cpu0.raw')).equals(before));
    const dat = join(dir, 'trace.dat');
    const converted = spawnSync(process.execPath, [program, 'convert', recording, '-o', dat]);
    assert.equal(converted.status, exitCode.done);
    copyFileSync(dat, join(dir, 'copy.dat'));
    assert.equal(exportTo(dat, '--to', 'perfetto', '-o', dat).status, exitCode.usage);
    assert.ok(readFileSync(dat).equals(readFileSync(join(dir, 'copy.dat'))));
  });

  it('leaves nothing behind if it fails', (test) => {
    const { recording, dir } = scene(test);
    const { status, stderr } = exportTo(
      recording,
      '-o',
      join(dir, 'a.pftrace'),
      '--event',
      'sched:sched_swich',
    );
    assert.equal(status, exitCode.usage);
    assert.match(stderr, /did you mean "sched:sched_switch"/);
    assert.deepEqual(readdirSync(dir), []);
  });

  it('ends quietly when the reader of stdout has seen enough', (test) => {
    const { recording } = scene(test);
    const line = `'${process.execPath}' '${program}' export '${recording}' --to perfetto -o - | head -c 1; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = spawnSync('bash', ['-c', line], { encoding: 'latin1' });
    assert.deepEqual([stdout.slice(1), stderr], [`${exitCode.done}\n`, '']);
  });

  it('fails if stdout is full', (test) => {
    const { recording } = scene(test);
    const line = `'${process.execPath}' '${program}' export '${recording}' --to perfetto -o - > /dev/full`;
    const { status, stderr } = spawnSync('bash', ['-c', line], { encoding: 'utf8' });
    assert.deepEqual([status, stderr], [exitCode.failed, 'trace-host: cannot write to stdout: ENOSPC\n']);
  });

  it('needs a format', (test) => {
    const { recording, dir } = scene(test);
    const { status, stderr } = exportTo(recording, '-o', join(dir, 'a.xyz'));
    assert.equal(status, exitCode.usage);
    assert.match(stderr, /add --to FORMAT/);
    assert.ok(!existsSync(join(dir, 'a.xyz')));
  });
});
