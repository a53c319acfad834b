import { setPriority } from 'node:os';
import { setImmediate as turn } from 'node:timers/promises';
import { MachineNow } from '../../../analysis/now/machine-now.ts';
import { errorCode } from '../../../base/error-code.ts';
import { type ExitCode, exitCode, Failure } from '../../../base/failure.ts';
import { exitNow, nameProcess } from '../../../native/process/process.ts';
import { openTrace } from '../../../trace/open.ts';
import { followedRecording } from '../reading/followed-recording.ts';
import type { CountAnswer, CountedFrame, CountedMachine, CountRequest } from './messages.ts';

/** Lower than that of the recording, so that its pages are collected first. */
const niceness = 10;
/** Pages of a CPU that may wait; older ones are skipped. */
const mostBehind = 2 << 20;
/** Events after which a request is looked for. */
const eventsPerTurn = 1 << 16;

/** One machine's recording, counted while it is recorded. */
class Counted {
  #now: MachineNow | undefined;
  #skippedBytes = 0;
  #why: string | undefined;

  async run({ dir, host }: CountedMachine): Promise<void> {
    try {
      await this.#run(dir, host);
    } catch (cause) {
      if (!(cause instanceof Failure)) throw cause;
      this.#why = cause.message;
    }
  }

  take(): CountedFrame {
    return { figures: this.#now?.frame(), skippedBytes: this.#skippedBytes, why: this.#why };
  }

  async #run(dir: string, isHost: boolean): Promise<void> {
    const trace = await openTrace(await followedRecording(dir));
    try {
      const now = new MachineNow(trace.formats(), (pid) => trace.task(pid));
      if (isHost)
        for (const { name, vcpuTids } of trace.source.guests)
          for (const [cpu, tid] of vcpuTids) now.stolen.add(tid, { guest: name, cpu });
      this.#now = now;
      const skipped = (cpu: number, bytes: number): void => {
        this.#skippedBytes += bytes;
        now.skipped(cpu);
      };
      let count = 0;
      for await (const batch of trace.follow({}, undefined, { mostBehind, skipped })) {
        for (const event of batch) {
          now.take(event);
          count++;
        }
        if (count < eventsPerTurn) continue;
        count = 0;
        await turn();
      }
    } finally {
      await trace.close();
    }
  }
}

/**
 * Counts what machines do now, as a child of `trace-host top`, until that closes the channel. A process of its own,
 * because the pages come from guests, and because it must not slow the recording down. @throws Failure
 */
export async function serveCounting(): Promise<ExitCode> {
  if (process.send === undefined)
    throw new Failure(exitCode.usage, 'count-now is for trace-host itself', 'use trace-host top');
  nameProcess('trace-host', 'trace-host: counts for trace-host top');
  try {
    setPriority(niceness);
  } catch (cause) {
    // EPERM: a service manager may have set another one
    if (errorCode(cause) === '') throw cause;
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  let counted: readonly Counted[] = [];
  process.on('message', (request: CountRequest) => {
    if (request.kind === 'machines') {
      counted = request.machines.map(() => new Counted());
      for (const [index, machine] of request.machines.entries()) void counted[index]!.run(machine);
      return;
    }
    const answer: CountAnswer = counted.map((each) => each.take());
    process.send?.(answer, undefined, undefined, () => undefined);
  });
  if (process.connected) await new Promise<void>((resolve) => process.on('disconnect', resolve));
  // recordings may still be followed
  exitNow(exitCode.done);
}
