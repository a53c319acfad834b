import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { exitCode } from '../../src/base/failure.ts';
import { repoRoot } from '../repo-root.ts';
import { oddRecording } from '../unit/export/odd-recording.ts';
import { scratchDir } from '../unit/trace/samples.ts';

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function queries(test: TestContext): (sql: string, ...options: string[]) => Ended {
  const recording = oddRecording(test);
  const cache = scratchDir(test);
  return (sql, ...options) => {
    const program = join(repoRoot, 'dist/bin/trace-host.js');
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [program, 'query', recording, sql, ...options],
      {
        encoding: 'utf8',
        env: { ...process.env, XDG_CACHE_HOME: cache },
      },
    );
    return { status, stdout, stderr };
  };
}

describe('trace-host query', () => {
  it('prints a table, JSON or CSV, with nothing of the guest raw on a terminal', (test) => {
    const query = queries(test);
    const sql = "select next_comm, _ts, null as none from sched_switch where next_comm like 'a\"%' limit 1";
    const table = query(sql);
    assert.equal(table.stderr, '');
    assert.match(table.stdout, /^next_comm +_ts +none\na",\\u\{a\}\\u\{1b\} +\d+ +-\n$/);
    const json = query(sql, '--json').stdout;
    assert.match(json, /^\{"next_comm":"a\\",\\n\\u001b","_ts":\d+,"none":null\}\n$/);
    // oxlint-disable-next-line no-control-regex -- CSV has what the guest wrote
    assert.match(query(sql, '--csv').stdout, /^next_comm,_ts,none\n"a"",\n\u001b",\d+,\n$/);
    assert.equal(
      query('select 18446744073709551615::ubigint as n', '--json').stdout,
      '{"n":"18446744073709551615"}\n',
    );
    const long = query('select range as n from range(5000)').stdout.split('\n');
    assert.deepEqual(
      [long.length, long[1], long[5000]],
      [5002, '   0', '4999'],
      'later rows as the first are',
    );
  });

  it('says what is wrong with a query, in a line', (test) => {
    const query = queries(test);
    const { status, stdout, stderr } = query('select * from sched_slices');
    assert.deepEqual([status, stdout], [exitCode.usage, '']);
    assert.match(stderr, /^trace-host: Catalog Error: .* sched_slices .* — Did you mean "sched_slice"\?\n$/);
    assert.match(query('select error(_comm) from sched_switch').stderr, /^trace-host: .*\n$/);
  });

  it('converts only the events that are asked for', (test) => {
    const query = queries(test);
    const { stdout } = query('show tables', '--event', 'irq:softirq_entry', '--json');
    const names = stdout
      .trimEnd()
      .split('\n')
      .map((line) => Object(JSON.parse(line)).name);
    const derived = ['irq_slice', 'sched_slice', 'thread', 'wakeup_latency'];
    assert.deepEqual(new Set(names), new Set(['irq:softirq_entry', 'softirq_entry', ...derived]));
  });

  it('writes what does not fit in memory into the cache only', (test) => {
    const query = queries(test);
    query('select 1');
    assert.ok(!existsSync('.tmp'), 'not into the current directory');
    rmSync('.tmp', { recursive: true, force: true });
  });
});
