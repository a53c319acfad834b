import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, it, test } from 'node:test';
import {
  bytesDifference,
  difference,
  printedByTraceHost,
  readSome,
  reportDifference,
  traceCmd,
  traceCmdSkip,
  traceHost,
  withoutGarbage,
} from '../report/compare.ts';
import { reportFixtureDir, reportFixtures, storedTexts } from '../report/fixtures.ts';
import { eventOptions, oldFileOptions } from '../report/options.ts';
import { fixture } from '../unit/trace/fixtures.ts';
import { scratchDir } from '../unit/trace/samples.ts';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { writeRepeated } from '../../bench/measure/repeated-trace.ts';

/** Fewer than there are, so that a fixture that is gone does not go unnoticed. */
const leastFixtures = 17;
const leastTypes = 400;

describe('trace-host report prints what trace-cmd printed', { timeout: 900_000 }, () => {
  const fixtures = reportFixtures();
  it('has fixtures', () => assert.ok(fixtures.length >= leastFixtures, fixtures.join()));

  for (const name of fixtures)
    it(name, async () => {
      const texts = [...storedTexts(name)];
      assert.ok(texts.length > 35, `${texts.length} reports`);
      const options = texts.map(([args]) => args);
      const outputs = printedByTraceHost(options, `${name}.dat`, reportFixtureDir);
      const different: string[] = [];
      for (const [index, [args, expected]] of texts.entries()) {
        const output = outputs[index]!;
        const found = await bytesDifference(withoutGarbage(expected), withoutGarbage(output.stdout));
        if (found !== undefined) different.push(`report ${args.join(' ')}: ${found}`);
      }
      assert.equal(
        different.length,
        0,
        `${different.length} of ${texts.length} reports differ\n${different.join('\n\n')}`,
      );
    });

  it('the fixtures contain many kinds of events', () => {
    for (const name of ['guest-events', 'guest612-events']) {
      const [first] = storedTexts(name).values();
      const kinds = new Set(
        [...(first?.toString('latin1') ?? '').matchAll(/^ +\S.*?-\d+ +\[\d+\] +[\d.]+: (\w+):/gm)].map(
          (match) => match[1],
        ),
      );
      assert.ok(kinds.size >= leastTypes, `${name}: ${kinds.size}`);
    }
  });
});

describe('trace-host report and the installed trace-cmd', { timeout: 900_000, skip: traceCmdSkip() }, () => {
  for (const name of reportFixtures())
    it(`print the same of ${name}`, async () => {
      const file = join(reportFixtureDir, `${name}.dat`);
      assert.equal(await reportDifference(traceCmd, traceHost, ['-i', file]), undefined);
    });

  it('print the same of two instances in a file of version 6', async (context) => {
    const file = join(scratchDir(context), 'trace.dat');
    writeFileSync(file, fixture('unusual/two-instances-v6.dat.gz'));
    // with --cpu, trace-cmd leaves out the instances
    const options = eventOptions.filter(([option]) => option !== '--cpu');
    for (const args of [...options, ...oldFileOptions])
      assert.equal(await reportDifference(traceCmd, traceHost, [...args, '-i', file]), undefined);
  });

  it('print the same of two files', async () => {
    const [a, b] = ['guest-stacks', 'guest-printk'].map((name) => join(reportFixtureDir, `${name}.dat`));
    for (const args of [[], ['-t'], ['-l'], ['--ts-diff'], ['-R']])
      assert.equal(
        await reportDifference(traceCmd, traceHost, [...args, '-i', String(a), '-i', String(b)]),
        undefined,
      );
  });
});

describe('trace-host report with several threads', { timeout: 600_000 }, () => {
  /** Large enough that threads are worth their start. */
  const times = 20;

  it('prints the same as with one, and ends when nobody reads on', async (context) => {
    const dir = scratchDir(context);
    const file = join(dir, 'trace.dat');
    await writeRepeated(dir, file, times);
    for (const args of [[], ['-l', '--ts-diff'], ['-F', 'sched_switch', '-t'], ['-w']])
      assert.equal(
        await reportDifference(
          [...traceHost, '--jobs', '1'],
          [...traceHost, '--jobs', '3'],
          [...args, '-i', file],
        ),
        undefined,
      );
    const threads: number[] = [];
    for (const jobs of [1, 3]) {
      const [command, ...words] = [...traceHost, '--jobs', String(jobs), file];
      const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'inherit'] });
      // the threads start after the first part
      await readSome(child.stdout, 4 << 20);
      // it waits for its reader now
      threads.push(readdirSync(`/proc/${child.pid}/task`).length);
      child.stdout.destroy();
      assert.deepEqual(await once(child, 'exit'), [0, null]);
    }
    assert.ok(threads[1]! >= threads[0]! + 3, threads.join());
  });
});

describe('how reports are compared', () => {
  const pieces = (text: string, bytes: number) =>
    Readable.from(text.match(new RegExp(`[^]{1,${bytes}}`, 'g'))?.map((piece) => Buffer.from(piece)) ?? []);
  const lines = Array.from({ length: 1000 }, (_, index) => `line ${index + 1}\n`).join('');

  test('the same text in other pieces is the same', async () => {
    for (const [a, b] of [
      [1, 7],
      [100, 3],
      [8192, 1],
    ] as const)
      assert.equal(await difference(pieces(lines, a), pieces(lines, b)), undefined);
    assert.equal(await difference(pieces('', 1), pieces('', 1)), undefined);
  });

  test('the first line that differs is shown, with those around it', async () => {
    const other = lines.replace('line 500\n', 'line \x1b500\n').replace('line 700\n', '');
    for (const [a, b] of [
      [1, 7],
      [100, 3],
      [8192, 8192],
    ] as const)
      assert.equal(
        await difference(pieces(lines, a), pieces(other, b)),
        [
          'line 500, byte 6:',
          '  line 497',
          '  line 498',
          '  line 499',
          '- line 500',
          '+ line \\x1b500',
          '-   line 501',
          '-   line 502',
          '+   line 501',
          '+   line 502',
        ].join('\n'),
      );
  });

  test('a text that ends too early, or that goes on, is another', async () => {
    for (const cut of [lines.length - 1, lines.length - 9, 4096, 0]) {
      const short = lines.slice(0, cut);
      assert.match(String(await difference(pieces(lines, 64), pieces(short, 64))), /^line \d+, byte \d+:/);
      assert.match(String(await difference(pieces(short, 64), pieces(lines, 64))), /^line \d+, byte \d+:/);
    }
    assert.match(String(await difference(pieces(lines, 64), pieces('', 64))), /^\+ \(end\)$/m);
  });

  test('what is beyond a record does not count, what is in it does', () => {
    const line = (size: number, bytes: string) =>
      `x-1 [000] 1.0: kernel_stack: size=${size} caller=ARRAY[${bytes}]\n`;
    const eight = '1, 2, 3, 4, 5, 6, 7, ff';
    const cut = (text: string) => withoutGarbage(Buffer.from(text)).toString();
    assert.equal(cut(line(1, `${eight}, 9, a`)), line(1, eight));
    assert.equal(cut(line(2, `${eight}, 9, a`)), line(2, `${eight}, 9, a`));
    assert.equal(cut(line(1, eight)), line(1, eight));
  });

  test('a program that fails differs from one that does not, and one that is stopped ends', async () => {
    const node = (code: string) => [process.execPath, '-e', code, '--'] as const;
    const says = (status: number) => node(`console.log('x'); process.exitCode = ${status}`);
    assert.equal(await reportDifference(says(0), says(0), []), undefined);
    assert.match(String(await reportDifference(says(0), says(1), [])), /exit status 1 instead of 0/);
    const endless = (text: string) => node(`for (;;) require('fs').writeSync(1, '${text}\\n'.repeat(1000))`);
    assert.match(
      String(await reportDifference(endless('a'), endless('b'), ['-N'])),
      /^report -N: line 1, byte 1:/,
    );
  });

  test('trace-cmd with another option differs', { skip: traceCmdSkip() }, async () => {
    const file = join(reportFixtureDir, 'guest-stacks.dat');
    assert.equal(await reportDifference(traceCmd, traceCmd, ['-i', file]), undefined);
    assert.match(
      String(await reportDifference(traceCmd, ['trace-cmd', 'report', '-N'], ['-i', file])),
      /^report -i .*: line \d+, byte \d+:\n(?: {2}.*\n)*- .*kernel_stack: .*\n\+ .*kernel_stack: /m,
    );
  });
});
