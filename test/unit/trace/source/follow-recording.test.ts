import assert from 'node:assert/strict';
import { appendFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { convertRecording } from '../../../../src/trace/convert/convert.ts';
import { olderPath } from '../../../../src/trace/recording/raw-file.ts';
import { formatRecording, rawFile, recordingFile } from '../../../../src/trace/recording/recording-format.ts';
import { openTrace } from '../../../../src/trace/open.ts';
import { recording, recordingDir, samplePages } from '../samples.ts';

const pageBytes = 4096;
const pages = samplePages('A');

/** One event as text. */
type Line = string;

/** A recording that has only some pages so far, and what `follow` gives of it. */
class Running {
  readonly dir: string;
  readonly lines: Line[] = [];
  readonly ended: Promise<void>;
  readonly #done: Record<number, number> = { 0: 0, 1: 0 };

  private constructor(dir: string, ended: Promise<void>, lines: Line[]) {
    this.dir = dir;
    this.ended = ended;
    this.lines = lines;
  }

  static async start(test: TestContext, signal?: AbortSignal): Promise<Running> {
    const dir = recordingDir(test);
    for (const cpu of [0, 1]) writeFileSync(join(dir, rawFile(cpu)), '');
    writeFileSync(join(dir, recordingFile), formatRecording({ ...recording, endedAt: null }));
    const trace = await openTrace(dir);
    const lines: Line[] = [];
    const ended = (async () => {
      for await (const batch of trace.follow({}, signal))
        for (const { timestamp, cpu, id, lost } of batch)
          lines.push(`${timestamp} ${cpu} ${id} ${lost ?? ''}`);
      await trace.close();
    })();
    return new Running(dir, ended, lines);
  }

  /** The CPU sends so many more bytes. */
  send(cpu: number, bytes: number): void {
    const from = this.#done[cpu]!;
    appendFileSync(join(this.dir, rawFile(cpu)), pages[cpu]!.subarray(from, from + bytes));
    this.#done[cpu] = from + bytes;
  }

  async count(atLeast: number): Promise<void> {
    for (let turn = 0; this.lines.length < atLeast && turn < 400; turn++) await sleep(25);
    assert.ok(this.lines.length >= atLeast, `${this.lines.length} events`);
  }

  /** The recording ends, and is converted and removed. */
  end(): void {
    writeFileSync(join(this.dir, recordingFile), formatRecording({ ...recording, endedAt: '2026-01-01' }));
  }
}

async function wholeLines(test: TestContext): Promise<Line[]> {
  const trace = await openTrace(recordingDir(test));
  const lines: Line[] = [];
  for await (const batch of trace.events())
    for (const { timestamp, cpu, id, lost } of batch) lines.push(`${timestamp} ${cpu} ${id} ${lost ?? ''}`);
  await trace.close();
  return lines;
}

const ofCpu = (lines: readonly Line[], cpu: number): Line[] =>
  lines.filter((line) => line.split(' ')[1] === String(cpu));

describe('following a recording', () => {
  it('gives every event once while pages arrive in any pieces', async (test) => {
    const whole = await wholeLines(test);
    const running = await Running.start(test);
    // not only whole pages
    running.send(0, 3 * pageBytes + 100);
    running.send(1, 5 * pageBytes);
    await running.count(300);
    running.send(0, 20 * pageBytes + 7);
    running.send(1, pages[1]!.length);
    running.send(0, pages[0]!.length);
    await sleep(200);
    running.end();
    await running.ended;
    // on a busy machine a CPU may miss its turn, so only the order of each CPU is sure
    for (const cpu of [0, 1]) assert.deepEqual(ofCpu(running.lines, cpu), ofCpu(whole, cpu));
    assert.equal(running.lines.length, whole.length);
  });

  it('does not wait for ever for a CPU that sends nothing, and gives its events late', async (test) => {
    const whole = await wholeLines(test);
    const running = await Running.start(test);
    running.send(0, pages[0]!.length);
    await running.count(ofCpu(whole, 0).length);
    running.send(1, pages[1]!.length);
    await sleep(300);
    running.end();
    await running.ended;
    for (const cpu of [0, 1]) assert.deepEqual(ofCpu(running.lines, cpu), ofCpu(whole, cpu));
    assert.equal(running.lines.length, whole.length);
  });

  it('reads what is left when the directory is gone', async (test) => {
    const whole = await wholeLines(test);
    const running = await Running.start(test);
    running.send(0, pages[0]!.length);
    running.send(1, pages[1]!.length);
    await running.count(1);
    rmSync(running.dir, { recursive: true });
    await running.ended;
    assert.deepEqual(running.lines, whole);
  });

  it('goes on in the next file of a recording with a cap', async (test) => {
    const whole = await wholeLines(test);
    const running = await Running.start(test);
    running.send(0, 10 * pageBytes);
    running.send(1, pages[1]!.length);
    await running.count(500);
    const path = join(running.dir, rawFile(0));
    renameSync(path, olderPath(path));
    running.send(0, pages[0]!.length);
    await sleep(500);
    running.end();
    await running.ended;
    assert.deepEqual(ofCpu(running.lines, 0), ofCpu(whole, 0));
  });

  it('ends at a signal, with what was read', async (test) => {
    const stop = new AbortController();
    const running = await Running.start(test, stop.signal);
    running.send(0, 3 * pageBytes);
    await running.count(1);
    stop.abort();
    await running.ended;
    assert.ok(running.lines.length > 100);
  });

  it('is refused for a trace.dat', async (test) => {
    const dir = recordingDir(test);
    const out = join(dir, '..', 'trace.dat');
    await convertRecording(dir, { out });
    const trace = await openTrace(out);
    await assert.rejects(() => trace.follow({}).next(), /trace\.dat is not a recording/);
    await trace.close();
  });
});
