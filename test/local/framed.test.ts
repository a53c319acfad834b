// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { exitCode } from '../../src/base/failure.ts';
import { makePipe } from '../../src/native/io/pipe.ts';
import { isLong } from '../set.ts';
import type { Agent } from './harness/agent.ts';
import { holdMachine } from './harness/machine-lock.ts';
import type { MarkerWriter } from './harness/markers.ts';
import { signalIfThere } from './harness/processes.ts';
import { inScene, type Scene } from './harness/scene.ts';
import { load, type Sink, sinks, startInto } from './harness/sinks.ts';
import { agentSkip, toolSkip } from './harness/skip.ts';
import { until } from './harness/until.ts';

const skip = agentSkip() || toolSkip('trace-cmd');
const hostProgram = fileURLToPath(new URL('../../bin/trace-host.js', import.meta.url));

async function started(agent: Agent): Promise<void> {
  await agent.logged('started', ({ msg }) => msg === 'started');
}

interface Converted {
  readonly status: number | null;
  readonly stderr: string;
  readonly events: number;
  readonly stepsBack: object;
  readonly framed: {
    readonly ended: boolean;
    readonly missingBytes: Readonly<Record<string, number>>;
    readonly strayBytes: number;
    readonly miscounted: object;
  };
}

/** The report of `trace-host convert` about a stream; the file is `trace.dat` in the scene's directory. */
function converted(scene: Scene, stream: Uint8Array): Converted {
  const [path, out] = [join(scene.dir, 'trace.framed'), join(scene.dir, 'trace.dat')];
  writeFileSync(path, stream);
  const args = [hostProgram, 'convert', path, '-o', out, '--json'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.ok(status === exitCode.done || status === exitCode.lost, stderr);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the program's own JSON
  return { ...(JSON.parse(stdout) as Omit<Converted, 'status' | 'stderr'>), status, stderr };
}

/** Numbers of the markers by CPU, as trace-cmd reads them; asserts that time never goes back within a CPU. */
function reported(scene: Scene): Map<number, number[]> {
  const args = ['report', '-t', join(scene.dir, 'trace.dat')];
  const { status, stdout, stderr } = spawnSync('trace-cmd', args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  assert.deepEqual([status, stderr], [0, '']);
  const markers = new Map<number, number[]>();
  const times = new Map<number, bigint>();
  for (const line of stdout.split('\n')) {
    const found = / \[(\d+)\] +(\d+)\.(\d{9}): print: +\w+: (\d+):(\d+) /.exec(line);
    if (found === null) continue;
    const [, cpu = '', seconds = '', fraction = '', marked = '', number = ''] = found;
    assert.equal(Number(cpu), Number(marked), `in another CPU's pages: ${line}`);
    const time = BigInt(seconds + fraction);
    assert.ok(time >= (times.get(Number(cpu)) ?? 0n), `time steps back: ${line}`);
    times.set(Number(cpu), time);
    const own = markers.get(Number(cpu)) ?? [];
    markers.set(Number(cpu), own);
    own.push(Number(number));
  }
  return markers;
}

/**
 * Asserts that every marker of every CPU is in the report once, in order, in its CPU's pages, or was overwritten by
 * the kernel.
 */
async function assertAll(scene: Scene, sink: Sink, writers: readonly MarkerWriter[]): Promise<void> {
  const received = await until(
    'the whole stream',
    () => {
      const bytes = sink.received(scene);
      return bytes.length > 0 && Buffer.from(bytes).includes('"ringBefore"') && bytes;
    },
    60_000,
  );
  const report = converted(scene, received);
  assert.deepEqual(
    [report.status, report.stderr, report.stepsBack, report.framed],
    [0, '', {}, { ended: true, missingBytes: {}, strayBytes: 0, anotherStream: false, miscounted: {} }],
  );
  const markers = reported(scene);
  for (const { cpu, written } of writers) {
    const numbers = markers.get(cpu) ?? [];
    const overrun = scene.overrun(cpu);
    assert.ok(numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? -1)));
    assert.equal(numbers.length + overrun, written, `CPU ${cpu}`);
    assert.ok(numbers.length > 100, `CPU ${cpu} has only ${numbers.length} markers`);
  }
}

describe('trace-agent -o --framed writes a stream that trace-host converts', { skip }, () => {
  holdMachine();

  for (const [name, sink] of Object.entries(sinks))
    it(
      `to ${name}`,
      inScene(
        async (scene) => {
          const agent = startInto(sink, scene, ['--framed']);
          await started(agent);
          const writers = scene.writers();
          await load(writers, 800);
          agent.signal('SIGINT');
          assert.equal((await agent.exit()).code, exitCode.done);
          await assertAll(scene, sink, writers);
          assert.deepEqual(
            agent.log.filter(({ level }) => level === 'warn' || level === 'error'),
            [],
          );
        },
        { ports: 'none', bufferPercent: 0 },
      ),
    );

  it(
    'to a socket',
    inScene(
      async (scene) => {
        const agent = scene.start(['-o', '--framed'], { stdout: 'pipe' }); // Node's pipes are sockets
        const chunks: Buffer[] = [];
        agent.child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
        await started(agent);
        const writers = scene.writers();
        await load(writers, 300);
        agent.signal('SIGINT');
        assert.equal((await agent.exit()).code, exitCode.done);
        await assertAll(scene, { open: () => -1, received: () => Buffer.concat(chunks) }, writers);
      },
      { ports: 'none', bufferPercent: 0 },
    ),
  );

  for (const name of Object.keys(sinks))
    it(
      `to ${name} also when workers are killed meanwhile`,
      inScene(
        async (scene) => {
          const sink = sinks[name] ?? assert.fail();
          const agent = startInto(sink, scene, ['--framed', '--max-restarts', '1000']);
          await started(agent);
          const writers = scene.writers();
          for (const writer of writers) writer.run(8000, 400);
          for (let kills = 0; kills < (isLong ? 30 : 12); kills += 1) {
            await sleep(Math.random() * 100);
            const workers = await until('a worker', () => agent.workers.length > 0 && agent.workers, 60_000);
            signalIfThere(workers[kills % workers.length]?.pid ?? assert.fail(), 'SIGKILL');
          }
          for (const writer of writers) await writer.halt();
          agent.signal('SIGINT');
          assert.equal((await agent.exit()).code, exitCode.done);
          await assertAll(scene, sink, writers);
        },
        { ports: 'none', bufferKb: 16_384, bufferPercent: 0 },
      ),
    );

  it(
    'through a pipe to trace-host convert -',
    inScene(
      async (scene) => {
        const out = join(scene.dir, 'trace.dat');
        const { readEnd, writeEnd } = makePipe();
        const host = spawn(process.execPath, [hostProgram, 'convert', '-', '-o', out], {
          stdio: [readEnd, 'ignore', 'pipe'],
        });
        let said = '';
        host.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
        const ended = once(host, 'close');
        const agent = scene.start(['-o', '--framed'], { stdout: writeEnd });
        closeSync(readEnd);
        closeSync(writeEnd);
        await started(agent);
        const writers = scene.writers();
        await load(writers, 300);
        // like a terminal's Ctrl-C: to both
        host.kill('SIGINT');
        await until(
          'a message of the host',
          () => said.includes('waiting for the end of the stream'),
          60_000,
        );
        agent.signal('SIGINT');
        assert.equal((await agent.exit()).code, exitCode.done);
        assert.deepEqual(await ended, [0, null], said);
        const markers = reported(scene);
        for (const { cpu, written } of writers)
          assert.equal((markers.get(cpu) ?? []).length + scene.overrun(cpu), written);
      },
      { ports: 'none', bufferPercent: 0 },
    ),
  );

  it(
    'of an agent that was killed with its workers: the part that exists is converted',
    inScene(
      async (scene) => {
        const sink = sinks['a file'] ?? assert.fail();
        const agent = startInto(sink, scene, ['--framed']);
        await started(agent);
        const writers = scene.writers();
        for (const writer of writers) writer.run(8000, 400);
        const size = (): number => sink.received(scene).length;
        const before = size();
        await until('some pages', () => size() > before + 500_000, 60_000);
        const workers = agent.workers;
        agent.signal('SIGKILL');
        for (const { pid } of workers) signalIfThere(pid, 'SIGKILL');
        await agent.exit();
        for (const writer of writers) await writer.halt();
        const report = converted(scene, sink.received(scene));
        assert.equal(report.status, exitCode.lost);
        assert.match(report.stderr, /the stream has no end record/);
        assert.ok(report.events > 500, `${report.events} events`);
        for (const numbers of reported(scene).values())
          assert.ok(numbers.every((number, index) => number === (numbers[0] ?? 0) + index));
      },
      { ports: 'none', bufferPercent: 0 },
    ),
  );
});

describe('trace-agent -o', { skip }, () => {
  holdMachine();

  it(
    'warns once that pages of several CPUs cannot be told apart; with one CPU it does not',
    inScene(
      async (scene) => {
        const sink = sinks['a file'] ?? assert.fail();
        const warned = async (...args: string[]): Promise<number> => {
          const agent = startInto(sink, scene, args);
          await started(agent);
          agent.signal('SIGINT');
          assert.equal((await agent.exit()).code, exitCode.done);
          return agent.log.filter(({ level, msg }) => level === 'warn' && msg.includes('--framed')).length;
        };
        assert.equal(await warned(), 1);
        assert.equal(await warned('--cpus', String(scene.cpus[0])), 0);
        assert.equal(readFileSync(join(scene.dir, 'out')).length, 0);
      },
      { ports: 'none', bufferPercent: 0 },
    ),
  );

  it(
    '--framed accepts no orders, and requires -o',
    inScene(
      async (scene) => {
        for (const [args, said] of [
          [['--framed'], /^trace-agent: --framed needs -o — add -o\n$/],
          [
            ['-o', '--framed', '--control-port', 'x'],
            /^trace-agent: --framed cannot be combined with a control port: .* — remove --framed/,
          ],
        ] as const) {
          const agent = scene.start(args);
          assert.equal((await agent.exit()).code, exitCode.usage);
          assert.match(agent.stderr, said);
        }
      },
      { ports: 'none' },
    ),
  );

  it(
    '--framed ends with exit code 5 when the reader closes while the metadata is sent',
    inScene(
      async (scene) => {
        const { readEnd, writeEnd } = makePipe();
        const agent = scene.start(['-o', '--framed'], { stdout: writeEnd });
        closeSync(writeEnd);
        await agent.ready();
        closeSync(readEnd);
        assert.equal((await agent.exit()).code, exitCode.lost);
        assert.ok(
          agent.log.some(
            ({ msg, kind, code }) => msg === 'ending' && kind === 'outlet-gone' && code === 'EPIPE',
          ),
          agent.stderr,
        );
      },
      { ports: 'none' },
    ),
  );

  it(
    '--framed ends at a signal while nobody reads the metadata',
    inScene(
      async (scene) => {
        const { readEnd, writeEnd } = makePipe();
        const agent = scene.start(['-o', '--framed'], { stdout: writeEnd });
        closeSync(writeEnd);
        await agent.ready();
        agent.signal('SIGINT');
        assert.equal((await agent.exit()).code, exitCode.lost, agent.stderr);
        closeSync(readEnd);
      },
      { ports: 'none' },
    ),
  );
});
