import type { ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { codeOf } from '../../base/error-code.ts';
import { startTicks } from '../../native/process/start-ticks.ts';
import { json } from '../../base/quoted.ts';
import { Problem } from '../http/problem.ts';
import { leastFreeBytes } from '../settings.ts';
import type { Bus } from './bus.ts';
import { type Children, startChild } from './child.ts';
import { finished, openOutput } from './finish.ts';
import type { Guests } from './guests.ts';
import { newId } from './ids.ts';
import { recordArguments } from './record-arguments.ts';
import type { Entry, Recordings } from './recordings.ts';
import { hostName, type Tops } from './tops.ts';
import type { JobView, RecordRequest } from './views.ts';

interface Job {
  readonly id: string;
  readonly request: RecordRequest;
  readonly startedAt: string;
  readonly startedMs: number;
  state: JobView['state'];
  endedMs: number | undefined;
  error: string | null;
  child: ChildProcess | undefined;
  done: Promise<void>;
}

const keptJobs = 50;
const maxJobs = 16;
/** How long after its start an unfinished recording's recorder is looked at again. */
const lookMs = 500;

/** Recordings that are being made, each by a process of its own. */
export class Jobs {
  readonly #children: Children;
  readonly #recordings: Recordings;
  readonly #bus: Bus;
  readonly #log: Logger;
  readonly #guestsDir: string;
  readonly #jobs = new Map<string, Job>();
  #isClosing = false;

  constructor(children: Children, recordings: Recordings, bus: Bus, log: Logger, guestsDir: string) {
    this.#children = children;
    this.#recordings = recordings;
    this.#bus = bus;
    this.#log = log;
    this.#guestsDir = guestsDir;
  }

  /** All that run, and some that have ended, newest first. */
  list(): readonly JobView[] {
    return [...this.#jobs.values()].map((job) => this.#view(job)).toReversed();
  }

  /** Id of the job that records a guest. */
  jobOf(guest: string): string | undefined {
    for (const { id, request, endedMs } of this.#jobs.values())
      if (endedMs === undefined && request.guests.includes(guest)) return id;
    return undefined;
  }

  /** Jobs that have not ended. */
  get running(): number {
    return [...this.#jobs.values()].filter(({ endedMs }) => endedMs === undefined).length;
  }

  /**
   * Starts a recording. @returns the id of the job and of the recording
   * @throws Problem: an unknown guest, one that is recorded already, or no space
   */
  async start(request: RecordRequest, guests: Guests, tops: Tops): Promise<string> {
    if (this.#isClosing) throw new Problem(503, 'the daemon is stopping');
    if (this.running >= maxJobs)
      throw new Problem(409, `${maxJobs} recordings run already`, 'stop one first');
    if (request.guests.length === 0 && !request.host)
      throw new Problem(400, 'nothing to record', 'name guests, or set host to true');
    const locations = request.guests.map((name) => {
      const location = guests.locationOf(name);
      if (location === undefined)
        throw new Problem(404, `there is no guest ${json(name)}`, 'see GET /api/guests');
      const other = guests.jobOf(name);
      if (other !== undefined)
        throw new Problem(409, `guest ${name} is recorded by job ${other}`, 'stop that job first');
      return location;
    });
    const dirs = new Set(locations.map(({ dir }) => dir));
    if (dirs.size > 1)
      throw new Problem(400, 'these guests are in different directories', 'record them one after the other');
    const id = newId();
    const job: Job = {
      id,
      request,
      startedAt: new Date().toISOString(),
      startedMs: performance.now(),
      state: 'running',
      endedMs: undefined,
      error: null,
      child: undefined,
      done: Promise.resolve(),
    };
    // from here on nobody else asks these guests
    this.#jobs.set(id, job);
    try {
      const names = request.host ? [...request.guests, hostName] : request.guests;
      await Promise.all(names.map((name) => tops.release(name)));
      await Promise.all(request.guests.map((name) => guests.free(name)));
      const [dir = this.#guestsDir] = dirs;
      const entry: Entry = {
        format: 1,
        id,
        createdAt: job.startedAt,
        state: 'recording',
        recorder: null,
        guests: request.guests,
        host: request.host,
        spanNs: 0,
        lostBytes: 0,
        overrun: 0,
        machines: [],
        whole: false,
        error: null,
      };
      const folder = await this.#recordings.create(entry);
      const maxBytes = this.#recordings.freeBytes() - leastFreeBytes / 2;
      const args = recordArguments(request, { out: join(folder, 'trace.dat'), dir, maxBytes });
      try {
        job.child = this.#run(args, folder);
      } catch (cause) {
        this.#recordings.takeBack(id);
        throw new Problem(507, `cannot write to ${folder}: ${codeOf(cause)}`, 'free space there', { cause });
      }
      job.done = this.#watch(job, entry, folder);
    } catch (cause) {
      this.#jobs.delete(id);
      throw cause;
    }
    this.#log.info({ job: id, guests: request.guests, host: request.host }, 'recording started');
    this.#changed(guests);
    return id;
  }

  /** Asks a job to end in order, and waits until its recording is complete. @throws Problem 404 */
  async stop(id: string): Promise<JobView> {
    const job = this.#jobs.get(id);
    if (job === undefined) throw new Problem(404, 'there is no such job');
    this.#interrupt(job);
    await job.done;
    return this.#view(job);
  }

  /** Ends all jobs in order; no new one can be started. */
  async close(): Promise<void> {
    this.#isClosing = true;
    for (const job of this.#jobs.values()) this.#interrupt(job);
    await Promise.all([...this.#jobs.values()].map(({ done }) => done));
  }

  /** Completes recordings that an earlier daemon left, also those whose recorder still runs. */
  async recover(): Promise<void> {
    for (const entry of this.#recordings.entries()) {
      if (entry.state !== 'recording') continue;
      const { recorder, id } = entry;
      this.#log.warn({ recording: id }, 'completing a recording that was not finished');
      const isRecording = (): boolean =>
        recorder !== null && startTicks(recorder.pid) === recorder.startTicks;
      while (isRecording()) {
        if (this.#isClosing) return;
        await new Promise((resolve) => setTimeout(resolve, lookMs));
      }
      await this.#finish(entry, join(this.#recordings.dir, id));
    }
  }

  #run(args: readonly string[], folder: string): ChildProcess {
    const { out, err } = openOutput(folder);
    try {
      return startChild(this.#children, args, out, err);
    } finally {
      closeSync(out);
      closeSync(err);
    }
  }

  async #watch(job: Job, entry: Entry, folder: string): Promise<void> {
    const { child } = job;
    const ended = new Promise<void>((resolve) => {
      child?.once('exit', () => resolve()).once('error', () => resolve());
    });
    const pid = child?.pid;
    const recorder = pid === undefined ? null : { pid, startTicks: startTicks(pid) ?? '' };
    const recorded: Entry = { ...entry, recorder };
    try {
      await this.#recordings.save(recorded);
    } catch (cause) {
      this.#log.error({ job: job.id, why: codeOf(cause) }, 'cannot save what is known of the recording');
    }
    await ended;
    job.state = 'converting';
    this.#bus.changed('jobs');
    const result = await this.#finish(recorded, folder);
    job.error = result === undefined ? 'the recording could not be completed; see the log' : result.error;
    job.state = result !== undefined && result.machines.length > 0 ? 'done' : 'failed';
    job.endedMs = performance.now();
    job.child = undefined;
    this.#log.info({ job: job.id, state: job.state, error: job.error }, 'recording ended');
    const ends = [...this.#jobs.values()].filter(({ endedMs }) => endedMs !== undefined);
    for (const { id } of ends.slice(0, Math.max(0, ends.length - keptJobs))) this.#jobs.delete(id);
    this.#bus.changed('jobs');
  }

  /** @returns undefined if it cannot be done; the next start of the daemon tries again */
  async #finish(entry: Entry, folder: string): Promise<Entry | undefined> {
    try {
      const result = await finished(this.#children, folder, entry);
      await this.#recordings.save(result).catch((cause: unknown) => {
        this.#log.error(
          { recording: entry.id, why: String(cause) },
          'cannot save what a recording has become',
        );
      });
      return result;
    } catch (cause) {
      this.#log.error({ recording: entry.id, why: String(cause) }, 'cannot complete a recording');
      return undefined;
    }
  }

  #interrupt(job: Job): void {
    if (job.state !== 'running' || job.child === undefined) return;
    job.state = 'stopping';
    job.child.kill('SIGINT');
    this.#bus.changed('jobs');
  }

  #changed(guests: Guests): void {
    this.#bus.changed('jobs');
    guests.scan();
  }

  #view({ id, request, startedAt, startedMs, state, endedMs, error }: Job): JobView {
    const isEnded = endedMs !== undefined;
    return {
      id,
      kind: 'record',
      guests: request.guests,
      host: request.host,
      startedAt,
      state,
      progress: isEnded
        ? null
        : {
            elapsedMs: Math.round(performance.now() - startedMs),
            durationMs: request.durationMs ?? null,
            bytes: this.#recordings.bytesOf(id),
          },
      error,
      recording: id,
    };
  }
}
