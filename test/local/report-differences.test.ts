import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { repoRoot } from '../repo-root.ts';
import { type Case, plain as made } from '../report/cases/case.ts';
import { printed, traceCmd, traceCmdSkip, traceHost, withoutGarbage } from '../report/compare.ts';
import { reportFixtureDir } from '../report/fixtures.ts';
import { textsOf, writeCases } from '../report/made-file.ts';
import { madeRecording, type MadeEvent, switchData } from '../unit/analysis/made-trace.ts';
import { fixture } from '../unit/trace/fixtures.ts';
import { scratchDir } from '../unit/trace/samples.ts';

const hasTraceCmd = traceCmdSkip() === false;
const start = 2 ** 40;

interface Ended {
  readonly status: number | string;
  readonly lines: readonly string[];
  readonly stderr: string;
}

function reported(reporter: typeof traceHost, args: readonly string[]): Ended {
  const { status, stdout, stderr } = printed(reporter, args, reportFixtureDir);
  return { status, lines: stdout.toString('latin1').trimEnd().split('\n'), stderr };
}

const ours = (...args: string[]): Ended => reported(traceHost, args);
/** What trace-cmd does, where it is installed. */
const theirs = (...args: string[]): Ended | undefined => (hasTraceCmd ? reported(traceCmd, args) : undefined);

/** The text of each case, as `trace-host report` prints it. */
async function textsOfCases(test: TestContext, ...cases: Case[]): Promise<(string | undefined)[]> {
  const file = await writeCases(scratchDir(test), cases);
  return textsOf(`${ours('-q', file).lines.join('\n')}\n`, cases).map(([text]) => text);
}

/** A trace.dat of these events. */
async function madeFile(test: TestContext, events: readonly MadeEvent[], clock?: string): Promise<string> {
  const file = join(scratchDir(test), 'made.dat');
  const [command, program = ''] = traceHost;
  execFileSync(command, [program, 'convert', await madeRecording(test, events, clock), '-o', file]);
  return file;
}

/** A trace.dat of two switches, the first at `start`, by that clock. */
function fileOfClock(test: TestContext, clock: string): Promise<string> {
  const events = [0, 1].map((at) => ({ cpu: 0, ns: start + at, pid: at, data: switchData(at, 0n, 1 - at) }));
  return madeFile(test, events, clock);
}

function twoInstances(test: TestContext): string {
  const file = join(scratchDir(test), 'two.dat');
  writeFileSync(file, fixture('unusual/two-instances-v6.dat.gz'));
  return file;
}

/** An event of that type with zeros, `bytes` long. */
function eventData(
  id: number,
  pid: number,
  bytes: number,
  set: (view: DataView) => void = () => {},
): Uint8Array {
  const data = new Uint8Array(bytes);
  const view = new DataView(data.buffer);
  view.setUint16(0, id, true);
  view.setInt32(4, pid, true);
  set(view);
  return data;
}

/** On a terminal. */
function onTerminal(args: readonly string[]): string {
  const line = [...traceHost, ...args].map((word) => `'${word}'`).join(' ');
  const { NO_COLOR: _, FORCE_COLOR: __, ...environment } = process.env;
  const { stdout } = spawnSync('script', ['-qec', line, '/dev/null'], {
    encoding: 'latin1',
    env: { ...environment, TERM: 'xterm' },
  });
  return stdout;
}

/** Events by the beginning of their row in docs/report.md. */
const proofs: Readonly<Record<string, (test: TestContext) => void | Promise<void>>> = {
  'prints an event without a format as `[UNKNOWN EVENT]': async (test) => {
    const file = await writeCases(scratchDir(test), [
      made('one', 'int a = 1', '"%d", REC->a'),
      made('two', 'int b = 2', '"number %d", REC->b'),
    ]);
    const bytes = readFileSync(file);
    // the first event of the only page: events were lost before it, and its id is not in the file
    const data = bytes.indexOf(Buffer.from('d00700002a00000001000000', 'hex'));
    const page = data - 16 - 4;
    assert.equal(bytes.readUInt32LE(page + 12), 0, 'the upper half of the commit word');
    bytes.writeUInt32LE((bytes.readUInt32LE(page + 8) | (1 << 31)) >>> 0, page + 8);
    bytes.writeUInt16LE(60_000, data);
    writeFileSync(file, bytes);
    const { status, lines } = ours('-q', file);
    assert.deepEqual([status, lines.length], [0, 4], lines.join('\n'));
    assert.match(lines[1] ?? '', /CPU:0 \[EVENTS DROPPED\]/);
    assert.match(lines[2] ?? '', /\[UNKNOWN EVENT\] id=60000 data=60ea00002a00000001000000$/);
    assert.match(lines[3] ?? '', /number 2$/);
    const other = theirs('-i', file);
    if (other !== undefined) {
      assert.equal(other.status, 0);
      assert.ok(!other.lines.some((line) => line.endsWith('number 2')), 'the report ends there');
    }
  },
  'ends arrays at the end of the record': () => {
    const file = 'guest-stacks.dat';
    const text = printed(traceHost, ['-R', file], reportFixtureDir).stdout;
    assert.match(text.toString('latin1'), /caller=ARRAY\[/);
    assert.ok(text.equals(withoutGarbage(text)), 'as many bytes as the stack has');
    if (hasTraceCmd) {
      const other = printed(traceCmd, ['-R', '-i', file], reportFixtureDir).stdout;
      assert.ok(!other.equals(withoutGarbage(other)));
    }
  },
  '`--cpu` with function graphs': async (test) => {
    const graph = (cpu: number, ns: number, id: 10 | 11): MadeEvent => {
      const data = eventData(id, 7, id === 11 ? 20 : 40, (view) => {
        view.setBigUint64(8, 0x1234n, true);
        if (id === 10) view.setBigUint64(32, 1500n, true);
      });
      return { cpu, ns: start + ns, pid: 7, data };
    };
    const between = { cpu: 0, ns: start + 15, pid: 1, data: switchData(1, 0n, 2) };
    const file = await madeFile(test, [between, graph(1, 10, 11), graph(1, 20, 10)]);
    const { lines } = ours('-q', '--cpu', '1', file);
    assert.match(lines[1] ?? '', /funcgraph_entry: +1\.500 us +\| +1234\(\);$/);
    assert.equal(lines.length, 2);
    const other = theirs('--cpu', '1', '-i', file);
    if (other !== undefined) assert.match(other.lines[1] ?? '', /\| +1234\(\) \{$/);
  },
  '`--cpu` selects events of instances, too': (test) => {
    const file = twoInstances(test);
    assert.equal(ours('--cpu', '0', file).lines.filter((line) => line.startsWith('inst: ')).length, 116);
    const other = theirs('--cpu', '0', '-i', file);
    if (other !== undefined) assert.ok(!other.lines.some((line) => line.startsWith('inst: ')));
  },
  'after `-F`, a stack trace is printed': async (test) => {
    const stack = (cpu: number, ns: number): MadeEvent => ({
      cpu,
      ns: start + ns,
      pid: 1,
      data: eventData(4, 1, 24, (view) => view.setInt32(8, 1, true)),
    });
    const chosen = { cpu: 1, ns: start + 20, pid: 1, data: switchData(1, 0n, 2) };
    const other = { cpu: 1, ns: start + 40, pid: 1, data: eventData(321, 1, 36) };
    const events = [stack(1, 10), chosen, stack(1, 30), other, stack(1, 50)];
    const { lines } = ours('-q', '-F', 'sched_switch', await madeFile(test, events));
    assert.deepEqual(
      lines.map((line) => /: (\w+):/.exec(line)?.[1]).filter((name) => name !== undefined),
      ['sched_switch', 'kernel_stack'],
      'neither the one before the first event nor the one after another event',
    );
  },
  '`-F` with a field that no named event has': () => {
    const filter = 'sched_switch: prev_pri == 1';
    const { status, stderr } = ours('-F', filter, 'guest-events.dat');
    assert.equal(status, 2);
    assert.match(stderr, /no such event has a field "prev_pri" .* did you mean "prev_prio"/);
    const other = theirs('-F', filter, '-i', 'guest-events.dat');
    if (other !== undefined) assert.deepEqual([other.status, other.lines], [0, ['cpus=2']]);
  },
  '`-F` works with several instances': (test) => {
    const file = twoInstances(test);
    const { status, lines } = ours('-F', 'hrtimer_start', file);
    assert.equal(status, 0);
    assert.equal(lines.filter((line) => line.includes(' hrtimer_start: ')).length, 63 + 31);
    const other = theirs('-F', 'hrtimer_start', '-i', file);
    if (other !== undefined) assert.notEqual(other.status, 0);
  },
  '`--event` selects events': () => {
    const { lines } = ours('-q', '--event', 'sched:sched_switch', 'guest-events.dat');
    assert.ok(lines.length > 5);
    for (const line of lines.slice(1)) assert.match(line, / sched_switch: /);
    const other = theirs('--event', 'sched:sched_switch', '-i', 'guest-events.dat');
    if (other !== undefined) assert.ok(!other.lines.some((line) => /\[00\d\].* sched_switch: /.test(line)));
  },
  '`--events` prints the formats of version 7 files': () => {
    assert.ok(ours('--events', 'guest-events.dat').lines.includes('name: sched_switch'));
    const other = theirs('--events', '-i', 'guest-events.dat');
    if (other !== undefined) assert.ok(!other.lines.includes('name: sched_switch'));
  },
  '`--ts-offset` works for the first file': () => {
    const times = ({ lines }: Ended): number[] =>
      lines.flatMap((line) => /\[\d+\] +([\d.]+): /.exec(line)?.[1] ?? []).map(Number);
    const before = times(ours('-q', '-t', '-i', 'guest-stacks.dat'));
    const shifted = ['-t', '-i', 'guest-stacks.dat', '--ts-offset', '2000000000'];
    const after = times(ours('-q', ...shifted));
    assert.ok(before.length > 10);
    assert.deepEqual(
      after.map((time) => time.toFixed(9)),
      before.map((time) => (time + 2).toFixed(9)),
    );
    const other = theirs(...shifted);
    if (other !== undefined) assert.equal(times(other)[0], before[0]);
  },
  '`--raw-ts` prints nanoseconds for clocks `boot` and `tai`, too': async (test) => {
    for (const clock of ['boot', 'tai']) {
      const file = await fileOfClock(test, clock);
      assert.match(ours('-q', '--raw-ts', file).lines[1] ?? '', /\] *1099511627776: /);
      const other = theirs('--raw-ts', '-i', file);
      if (other !== undefined) assert.match(other.lines[1] ?? '', /\] *1099\.511628: /);
    }
  },
  '`--ts2secs` prints seconds for clocks `counter` and `x86-tsc`, too': async (test) => {
    for (const clock of ['counter', 'x86-tsc']) {
      const file = await fileOfClock(test, clock);
      assert.match(ours('-q', '-i', file, '--ts2secs', '2000000000').lines[1] ?? '', /\] *549\.755814: /);
      const other = theirs('-i', file, '--ts2secs', '2000000000');
      if (other !== undefined) assert.match(other.lines[1] ?? '', /\] *549755813888: /);
    }
  },
  '`--align-ts` counts from the first event': async (test) => {
    const events = [0, 1].map((cpu) => ({ cpu, ns: start + cpu, pid: 1, data: switchData(1, 0n, 0) }));
    const file = await madeFile(test, events, 'local');
    const bytes = readFileSync(file);
    const header = Buffer.alloc(8);
    header.writeBigUInt64LE(BigInt(start + 1));
    const page = bytes.lastIndexOf(header);
    assert.equal(page % 4096, 0, 'the only page of CPU 1');
    // neither a time nor a record
    bytes.fill(0, page, page + 16);
    writeFileSync(file, bytes);
    assert.match(ours('-q', '--align-ts', file).lines[1] ?? '', /\] +0\.000000: /);
    const other = theirs('--align-ts', '-i', file);
    if (other !== undefined) assert.match(other.lines[1] ?? '', /\] +1099\.511628: /);
  },
  '`--stat` gives the place of pages of uncompressed files only': (test) => {
    const place = /data recorded at offset=0x/;
    assert.match(ours('--stat', twoInstances(test)).lines.join('\n'), place);
    assert.doesNotMatch(ours('--stat', 'guest-events.dat').lines.join('\n'), place);
    const other = theirs('--stat', '-i', 'guest-events.dat');
    if (other !== undefined) assert.match(other.lines.join('\n'), place);
  },
  '`-T` also explains filters that only': () => {
    const filter = 'sched_switch: prev_prio + 1 > 3';
    assert.deepEqual(ours('-T', '-F', filter, 'guest-events.dat').lines, [
      " 'sched_switch: (prev_prio + 1) > 3'",
    ]);
    const all = (lines: readonly string[] = []): boolean =>
      lines.some((line) => line.includes("'blktrace: "));
    assert.ok(!all(ours('-T', '-F', '.*', 'guest-events.dat').lines));
    const other = theirs('-T', '-F', filter, '-i', 'guest-events.dat');
    if (other === undefined) return;
    assert.notEqual(other.status, 0);
    assert.ok(all(theirs('-T', '-F', '.*', '-i', 'guest-events.dat')?.lines));
  },
  '`--check-events` exits with 1': () => {
    const { status, stderr } = ours('--check-events', 'guest612-events.dat');
    assert.equal(status, 1);
    for (const name of ['ma_op', 'ma_read', 'ma_write'])
      assert.match(stderr, new RegExp(`^trace-host: maple_tree:${name}: .+$`, 'm'));
    assert.equal(ours('--check-events', 'guest-printk.dat').status, 0);
    const other = theirs('--check-events', '-i', 'guest612-events.dat');
    if (other !== undefined) assert.notEqual(other.status, 1);
  },
  'control characters on a terminal': async (test) => {
    const file = await writeCases(scratchDir(test), [
      made('escapes', 'char t[8] = 61 1b 5b 33 31 6d 62 00', '"<%s>", REC->t'),
    ]);
    assert.match(onTerminal(['--color', 'never', file]), /<a\^\[\[31mb>/);
    assert.ok(ours(file).lines.join('\n').includes('<a\x1b[31mb>'));
  },
  'colors on a terminal': () => {
    const dim = '\x1b[2m';
    assert.ok(onTerminal(['guest-stacks.dat'].map((name) => join(reportFixtureDir, name))).includes(dim));
    assert.ok(!ours('guest-stacks.dat').lines.join('\n').includes(dim));
  },
  'a CPU that the trace does not have': () => {
    const { status, lines, stderr } = ours('--cpu', '99', 'guest-events.dat');
    assert.deepEqual(
      [status, lines, stderr],
      [0, ['cpus=2'], 'trace-host: guest-events.dat does not have CPU 99 â\x80\x94 its CPUs are 0-1\n'],
    );
    const other = theirs('--cpu', '99', '-i', 'guest-events.dat');
    if (other !== undefined) assert.deepEqual([other.status, other.lines], [0, ['cpus=2']]);
  },
  'a division by zero in a print format is 0': async (test) => {
    const texts = await textsOfCases(
      test,
      made('by zero', 'int a = 0', '"%d %d", 5 / REC->a, 5 % REC->a'),
      made('length', '__rel_loc u8[] r = 01 02 03', '"%d", __get_rel_dynamic_array_len(r)'),
    );
    assert.deepEqual(texts, ['0 0', '3']);
  },
  '`%*d` and `%*s` with a negative width': async (test) => {
    const texts = await textsOfCases(
      test,
      made('number', 'int w = -6; int a = 42', '"[%*d]", REC->w, REC->a'),
      made('text', 'int w = -6; char t[8] = "abc"', '"[%*s]", REC->w, REC->t'),
    );
    assert.deepEqual(texts, ['[42    ]', '[abc   ]']);
  },
  'a width or precision in a print format is at most 4096': async (test) => {
    const texts = await textsOfCases(
      test,
      made('width', 'int a = 42', '"[%5000d]", REC->a'),
      made('precision', 'int a = 42', '"[%.5000d]", REC->a'),
    );
    assert.deepEqual(texts, [`[${' '.repeat(4094)}42]`, `[${'0'.repeat(4094)}42]`]);
  },
  '`-H`, `--profile`,': () => {
    for (const option of ['-H', '--profile', '--by-comm', '--debug', '--boundary', '--verbose']) {
      const { status, stderr } = ours(option, 'guest-stacks.dat');
      assert.equal(status, 2, option);
      assert.match(
        stderr,
        new RegExp(`^trace-host: unknown option '${option}'.*see trace-host report --help`),
      );
    }
    assert.deepEqual(ours('-q', '-G', 'guest-stacks.dat').lines, ours('-q', 'guest-stacks.dat').lines);
  },
};

describe('a difference from trace-cmd report', { timeout: 300_000 }, () => {
  const page = readFileSync(join(repoRoot, 'docs/report.md'), 'utf8');
  const [, table = ''] = page.split('| trace-host report | trace-cmd report 3.1.6 |');
  const rows = [...table.matchAll(/^\| (?!-)(.+?) \| .*\|$/gm)].map((match) => match[1] ?? '');

  it('that docs/report.md names has a test here, and the other way round', () => {
    const begins = Object.keys(proofs);
    for (const row of rows)
      assert.equal(begins.filter((begin) => row.startsWith(begin)).length, 1, `a test for: ${row}`);
    assert.equal(rows.length, begins.length);
  });

  for (const [row, prove] of Object.entries(proofs)) it(row, prove);
});
