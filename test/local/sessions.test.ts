import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { exitCode } from '../../src/base/failure.ts';
import { repoRoot } from '../repo-root.ts';
import { packContents } from '../../src/host/metadata/pack.ts';
import { convert } from '../../src/trace/convert/convert.ts';
import {
  recordingDir,
  sampleContents,
  sampleMetadata,
  samplePages,
  scratchDir,
  sessionFiles,
  writeRaws,
} from '../unit/trace/samples.ts';

const program = join(repoRoot, 'dist/bin/trace-host.js');

/** Runs trace-host in the directory of a host's file `s.dat` and its guests' `s-web.dat` and `s-db.dat`. */
async function scene(
  test: TestContext,
): Promise<(...args: string[]) => { stdout: string; stderr: string; status: number | null }> {
  const host = await sessionFiles(test);
  assert.equal(basename(host), 's.dat');
  const env = { ...process.env, XDG_CACHE_HOME: scratchDir(test) };
  return (...args) =>
    spawnSync(process.execPath, [program, ...args], { cwd: dirname(host), encoding: 'utf8', env });
}

describe('the files of a host and its guests', () => {
  it('are summarised machine by machine', async (test) => {
    const run = await scene(test);
    const { stdout, stderr, status } = run('summary', 's.dat');
    assert.equal(status, exitCode.done, stderr);
    assert.equal(stderr, '');
    const heads = [...stdout.matchAll(/^(\w+): (s\S*): (\d+) events /gm)].map(([, ...words]) =>
      words.join(' '),
    );
    assert.equal(heads.length, 3, stdout);
    assert.match(heads.join(), /^host s\.dat (\d+),web s-web\.dat \1,db s-db\.dat \1$/);

    const all = JSON.parse(run('summary', 's.dat', '--json').stdout);
    assert.deepEqual(
      all.machines.map(({ machine, path }: { machine: string; path: string }) => [machine, path]),
      [
        ['host', 's.dat'],
        ['web', 's-web.dat'],
        ['db', 's-db.dat'],
      ],
    );
    const [host, , db] = all.machines;
    assert.equal(BigInt(db.buffers[0].first) - BigInt(host.buffers[0].first), 10_000_000n);

    const web = run('summary', 's.dat', '--machine', 'web', '--json');
    assert.deepEqual({ machine: 'web', ...JSON.parse(web.stdout) }, all.machines[1]);
    assert.deepEqual(run('summary', 's-web.dat', '--json').stdout, web.stdout);
    assert.match(run('summary', 's-web.dat').stdout, /^s-web\.dat: /);
  });

  it('say who made tasks wait', async (test) => {
    const run = await scene(test);
    const { stdout, stderr, status } = run('explain', 's.dat', '--worst', '3');
    assert.equal(status, exitCode.done, stderr);
    assert.equal(stderr, '');
    assert.match(stdout, /^[1-9]\d* waits, the longest 3\n\n1\. (?:web|db): \S.*:\d+ .* on CPU [01], /);
    assert.match(stdout, /\nmissing: host: no kvm_exit and kvm_entry/);
    assert.match(
      stdout,
      /\nclock of db: converted to the host's, how exactly is not in the file \(TIME_SHIFT/,
    );
    const all = JSON.parse(run('explain', 's.dat', '--json', '--worst', '10000').stdout);
    assert.deepEqual(Object.keys(all.clocks), ['web', 'db']);
    assert.equal(all.waits.length, all.waitCount);
    for (const { causes, lengthNs, dueNs, endNs } of all.waits) {
      assert.equal(BigInt(endNs) - BigInt(dueNs), BigInt(lengthNs));
      const sum = causes.reduce((ns: number, cause: { ns: number }) => ns + cause.ns, 0);
      assert.equal(sum, lengthNs);
    }
    const [{ tid }] = all.waits.filter(({ machine }: { machine: string }) => machine === 'db');
    const some = JSON.parse(
      run('explain', 's.dat', '--json', '--guest', 'db', '--task', String(tid), '--worst', '10000').stdout,
    );
    const isIts = (wait: { machine: string; tid: number }): boolean =>
      wait.machine === 'db' && wait.tid === tid;
    assert.deepEqual(some.waits, all.waits.filter(isIts));
    const alone = run('explain', 's-db.dat');
    assert.equal(alone.status, exitCode.done, alone.stderr);
    assert.match(alone.stdout, /\nmissing: the host was not traced/);
    const wrong = run('explain', 's.dat', '--guest', 'mail');
    assert.equal(wrong.status, exitCode.usage);
    assert.equal(
      wrong.stderr,
      'trace-host: the session has no machine "mail" — it has "host", "web", "db"\n',
    );
    const nobody = run('explain', 's.dat', '--task', 'nosuch');
    assert.equal(nobody.status, exitCode.usage);
    assert.equal(nobody.stdout, '');
    assert.match(nobody.stderr, /^trace-host: "web", "db": no task "nosuch" was seen — /);
  });

  it('are one Perfetto file, one file of lines, and tables', async (test) => {
    const run = await scene(test);
    const events = (...args: string[]): number => JSON.parse(run('export', ...args, '--json').stdout).events;
    const each = events('s.dat', '--machine', 'host', '-o', 'h.pftrace');
    assert.ok(each > 1000);
    assert.equal(events('s.dat', '-o', 'all.pftrace'), 3 * each);
    assert.equal(events('s-db.dat', 's.dat', '-o', 'two.pftrace'), 2 * each);
    assert.equal(events('s.dat', '-o', 'all.ndjson'), 3 * each);
    assert.equal(events('s.dat', '--to', 'csv', '-o', 'tables'), 3 * each);
    assert.equal(events('s.dat', '--machine', 'web', '-o', 'web.ndjson'), each);
    assert.equal(events('s.dat', '--to', 'parquet', '-o', 'parquet'), 3 * each);
    assert.equal(events('s-web.dat', 's.dat', '--to', 'parquet', '-o', 'parquet-two'), 2 * each);
    assert.equal(events('s.dat', '--machine', 'db', '--to', 'parquet', '-o', 'parquet-db'), each);
    const unknown = run('export', 's.dat', '--machine', 'mail', '-o', 'x.pftrace');
    assert.equal(unknown.status, exitCode.usage);
    assert.match(unknown.stderr, /no machine "mail" — it has "host", "web", "db"/);
  });

  it('are queried together', async (test) => {
    const run = await scene(test);
    const query = (...args: string[]): string[] => {
      const { stdout, stderr, status } = run('query', ...args, '--csv');
      assert.equal(status, exitCode.done, stderr);
      return stdout.trimEnd().split('\n').slice(1);
    };
    const exported = run('export', 's.dat', '--to', 'ndjson', '-o', '-', '--event', 'sched:sched_switch');
    assert.equal(exported.status, exitCode.done);
    const switches = exported.stdout.trimEnd().split('\n');
    assert.deepEqual(
      query('s.dat', 'select _machine from sched_switch'),
      switches.map((line) => JSON.parse(line).machine),
    );
    const each = switches.length / 3;
    const bySql = 'select machine, count(*) from sched_slice group by all order by all';
    assert.deepEqual(query('s.dat', bySql), [`db,${each}`, `host,${each}`, `web,${each}`]);
    assert.deepEqual(query('s-db.dat', 's.dat', bySql), [`db,${each}`, `host,${each}`]);
    assert.deepEqual(query('s.dat', '--machine', 'host', '--machine', 'db', bySql), [
      `db,${each}`,
      `host,${each}`,
    ]);

    const figures = 'ts, dur, cpu, tid, comm, prio, end_state from sched_slice';
    const ofWeb = query('s-web.dat', `select ${figures} order by all`);
    assert.equal(ofWeb.length, each);
    assert.deepEqual(query('s.dat', `select ${figures} where machine = 'web' order by all`), ofWeb);
    assert.deepEqual(query('s.dat', '--machine', 'web', `select ${figures} order by all`), ofWeb);
    const alone = run('query', 's-web.dat', 'select machine from sched_slice');
    assert.equal(alone.status, exitCode.usage);
    assert.match(alone.stderr, /"machine" not found/);
  });

  it('are exported with an event that only some of their kernels have', async (test) => {
    const contents = new Map(await sampleContents('A'));
    contents.delete('events/sched/sched_switch/format');
    const [one, other] = [recordingDir(test), recordingDir(test)];
    writeFileSync(join(other, 'metadata.tar.gz'), await packContents(contents));
    const out = join(scratchDir(test), 'a.ndjson');
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [program, 'export', one, other, '--json', '-o', out, ...args], {
        encoding: 'utf8',
      });
    const { stdout, stderr } = run('--event', 'sched:sched_switch');
    assert.equal(JSON.parse(stdout || '{}').events, 907, stderr);
    const none = run('--event', 'sched:sched_switch', '--event', 'sched:sched_other');
    assert.equal(none.status, exitCode.usage);
    assert.match(none.stderr, /has no event "sched:sched_other"/);
  });

  it('say how often a guest was paused', async (test) => {
    const dir = scratchDir(test);
    const [cpus, metadata] = [writeRaws(dir, samplePages('A')), await sampleMetadata('A')];
    const known = { hostFrom: '1', pausedFrom: '1000000', pausedTo: '251000000', hostTo: '252000000' };
    const unknown = { hostFrom: '3', pausedFrom: null, pausedTo: null, hostTo: null };
    for (const [pauses, said] of [
      [[known, known, unknown], /^paused {5}3 times, 500\.0 ms in all$/m],
      [[unknown], /^paused {5}1 time$/m],
    ] as const) {
      const out = join(dir, 'guest.dat');
      await convert({ cpus, metadata, out, pauses });
      const { stdout } = spawnSync(process.execPath, [program, 'info', out], { encoding: 'utf8' });
      assert.match(stdout, said);
      assert.match(stdout, /^written by virtio-trace [\d.]+$/m);
    }
  });

  it('that are of another recording are not mixed up', async (test) => {
    const host = await sessionFiles(test);
    const at = (name: string): string => join(dirname(host), name);
    renameSync(at('s-web.dat'), at('other.dat'));
    renameSync(at('s-db.dat'), at('s-web.dat'));
    const { stdout, stderr } = spawnSync(process.execPath, [program, 'summary', 's.dat'], {
      cwd: dirname(host),
      encoding: 'utf8',
    });
    assert.match(stdout, /^s\.dat: /);
    assert.match(stderr, /s\.dat was recorded with web, and s-web\.dat is missing or of another recording/);
    assert.match(stderr, /s\.dat was recorded with db, and s-db\.dat is missing/);
    const named = spawnSync(process.execPath, [program, 'summary', 'other.dat', 's.dat'], {
      cwd: dirname(host),
      encoding: 'utf8',
    });
    assert.match(named.stdout, /^host: s\.dat: [^]*^web: other\.dat: /m);
    assert.equal(named.stderr, '');
    const twoGuests = spawnSync(process.execPath, [program, 'summary', 'other.dat', 's-web.dat'], {
      cwd: dirname(host),
      encoding: 'utf8',
    });
    assert.match(twoGuests.stderr, /other: other\.dat has times of its own clock, not of the host's/);
  });
});
