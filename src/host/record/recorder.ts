import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorCode } from '../../base/error-code.ts';
import { Failure } from '../../base/failure.ts';
import { ThisHost } from '../this-host/this-host.ts';
import type { TracedMachine } from '../traced-machine.ts';
import { removeUnfinishedFiles } from '../../trace/file/unfinished-files.ts';
import type { RecordedAlignment } from '../../trace/recording/clock-files.ts';
import type { Pause } from '../clocks/pause-watch.ts';
import type { KvmTsc } from '../clocks/kvm-tsc.ts';
import { cannotConvert, GuestClocks } from '../clocks/guest-clocks.ts';
import { Collector } from './collector.ts';
import { checkCommand } from './command.ts';
import type {
  GuestReport,
  RecordedMachine,
  RecordEnd,
  RecordListener,
  RecordOptions,
  RecordResult,
  RecordTarget,
} from './contract.ts';
import { GuestRecording } from './guest-recording.ts';
import { GuestsOfHost, newTraceId, openGuest } from './machines.ts';
import {
  addFailure,
  allOf,
  type Entry,
  reasonOf,
  step,
  type Stopping,
  unknownThreads,
} from './session/entry.ts';
import { finish } from './session/finish.ts';
import { startInOrder, stopInOrder } from './session/in-order.ts';
import { untilEnd } from './session/until-end.ts';
import { Rotation } from './rotation/rotation.ts';
import { notFinished, setFile, SetNames } from './rotation/set-names.ts';
import { RecordingDir } from '../../trace/recording/recording-dir.ts';

/**
 * How often the agent of this host is asked for its counts, which costs more than the rest of an idle recording. The end
 * of that agent is noticed at once.
 */
const hostLookMs = 2000;

/** This host, if it is recorded. */
interface TracedHost {
  readonly machine: ThisHost;
  readonly entry: Entry;
  readonly guests: GuestsOfHost;
  readonly clocks: GuestClocks;
}

/** Records guests, and this host with them, until the first reason to end. */
export class Recorder {
  readonly #options: RecordOptions;
  readonly #listener: RecordListener;
  readonly #collector = new Collector();
  /** The guests, then the host. */
  readonly #entries: Entry[] = [];
  #host: TracedHost | undefined;
  #hostLookedMs = 0;
  #alignments: ReadonlyMap<unknown, RecordedAlignment> = new Map();
  #end: (end: RecordEnd) => void = () => undefined;
  readonly #ended = new Promise<RecordEnd>((resolve) => {
    this.#end = resolve;
  });
  #began = false;
  #firstSet = 1;
  #rotation: Rotation | undefined;

  constructor(options: RecordOptions, listener: RecordListener) {
    this.#options = options;
    this.#listener = listener;
  }

  /** Ends the recording as Ctrl-C does. */
  interrupt(): void {
    this.#end({ kind: 'signal' });
  }

  /** The step that the recorder is waiting for, for messages; undefined while recording. */
  get doing(): string | undefined {
    // while the recording goes on, nothing waits for a set that was ended
    if (this.#rotation?.isBetween === true) return undefined;
    const steps = [...this.#entries.map(({ recording }) => recording.doing), this.#rotation?.doing ?? ''];
    const doing = steps.filter((text) => text !== '');
    return doing.length === 0 ? undefined : doing.join('; ');
  }

  /** The machines as they are now: the guests, then the host. */
  get machines(): readonly RecordedMachine[] {
    return this.#entries.map((entry) => {
      const { recording, stopping } = entry;
      const { account, guest } = recording;
      const host = entry === this.#host?.entry;
      return {
        label: guest.label,
        guest: host ? undefined : guest.guest,
        host,
        dir: recording.dir,
        isRunning: stopping === undefined && !recording.isGone,
        status: account.status ?? account.before,
        before: account.before,
        cpus: recording.sets.progressOfAll,
      };
    });
  }

  /** Cleans up at once, for a process that is about to exit. @returns the directories of unfinished recordings */
  abandon(): readonly { readonly dir: string; readonly out: string }[] {
    removeUnfinishedFiles();
    if (!this.#began) for (const { recording } of this.#entries) recording.removeDir();
    const dirs = [
      ...(this.#rotation?.unwritten ?? []),
      ...this.#entries.flatMap(({ recording }) =>
        recording.sets.open.flatMap(({ dir, part: { out } }) =>
          dir === undefined ? [] : [{ dir: dir.path, out }],
        ),
      ),
    ];
    return dirs.filter(
      ({ dir }, index) => existsSync(dir) && dirs.findIndex((each) => each.dir === dir) === index,
    );
  }

  /** Records, and writes a file for each guest. @throws Failure when nothing was recorded */
  async run(): Promise<RecordResult> {
    checkCommand(this.#options.command);
    this.#rotation = this.#openRotation();
    for (const { out } of this.#targets) RecordingDir.check(this.#fileOf(out, this.#firstSet));
    let end: RecordEnd;
    try {
      await this.#begin();
      this.#began = true;
      this.#listener.started(this.#entries.flatMap(({ recording: { dir } }) => dir ?? []));
      for (const { recording } of this.#entries) recording.describe();
      this.#rotation?.start();
      end = await untilEnd({
        entries: this.#entries,
        options: this.#options,
        progress: this.#listener.progress,
        // apart, because QEMU may be slow to answer
        looks: [() => this.#look(), () => this.#lookAtThreads()],
        end: this.#end,
        ended: this.#ended,
      });
      this.#rotation?.stop();
      this.#listener.ending(end);
      if (end.kind === 'failed') addFailure(this.#running, end.why);
      await this.#stopAll(end);
    } finally {
      this.#rotation?.stop();
      if (this.#began) this.#readTscs((recording, tsc) => this.#tscKnown(recording, tsc));
      this.#host?.guests.close();
      await this.#collector.close();
      // first of all, because its workers may write files
      await this.#endHost();
      await Promise.all(this.#entries.map((entry) => this.#close(entry)));
      await this.#rotation?.settled();
    }
    await this.#align();
    const set = this.#rotation?.set;
    const guests: GuestReport[] = [];
    // others were reported with an earlier set
    for (const entry of this.#entries)
      if (set === undefined || entry.recording.sets.current.part.set === set)
        guests.push(await this.#finish(entry));
    const isWritten = guests.every(({ report }) => report !== undefined);
    const deleted = set === undefined || !isWritten ? [] : this.#rotation?.deleteOld(set);
    return { end, set, guests, deleted: deleted ?? [] };
  }

  get #targets(): readonly RecordTarget[] {
    const { guests, host } = this.#options;
    return host === undefined ? guests : [...guests, host];
  }

  /** The file of a machine in a set. */
  #fileOf(out: string, set: number): string {
    const { rotation } = this.#options;
    return rotation === undefined ? out : setFile(rotation.base, out, set);
  }

  #openRotation(): Rotation | undefined {
    const { rotation, version, compress } = this.#options;
    if (rotation === undefined) return undefined;
    const outs = this.#targets.map(({ out }) => out);
    const names = new SetNames(rotation.base, outs);
    try {
      this.#firstSet = names.next();
      for (const dir of names.unfinished()) this.#listener.note(notFinished(dir));
    } catch (cause) {
      // the check of the first file says why the directory cannot be used
      if (errorCode(cause) === '') throw cause;
    }
    return new Rotation({
      options: rotation,
      form: { version, compress },
      names,
      firstSet: this.#firstSet,
      listener: this.#listener,
      entries: this.#entries,
      isHost: (entry) => entry === this.#host?.entry,
      beginning: () => this.#readTscs((recording, tsc) => this.#tscKnown(recording, tsc)),
      begun: () => {
        this.#describeGuests();
        for (const { recording } of this.#guests) this.#host?.guests.pausesOf(recording)?.forgetEnded();
      },
      readClock: (entry) => this.#readClock(entry),
      end: this.#end,
    });
  }

  /** Reads a guest's clock several times, unless it is paused: it would not answer. */
  async #readClock(entry: Entry): Promise<void> {
    const { recording } = entry;
    if (this.#host?.guests.pausesOf(recording)?.isPaused === true) return;
    await step(entry, async () => this.#host?.clocks.pingsOf(recording)?.readSeveral());
  }

  async #begin(): Promise<void> {
    for (const target of this.#options.guests)
      await this.#open(openGuest(target.location), target, undefined);
    await this.#openHost();
    this.#listener.phase('fetching metadata');
    const beginning = this.#startAll().catch((why: unknown) => ({ why }));
    const first = await Promise.race([beginning, this.#ended]);
    if (first === undefined) return;
    // guests that were started are stopped again and leave nothing: a recording has all guests or none
    await Promise.all(this.#entries.map(({ recording }) => recording.discard()));
    throw 'kind' in first ? reasonOf(first) : first.why;
  }

  async #openHost(): Promise<void> {
    const { host, capBytes, rotation } = this.#options;
    if (host === undefined) return;
    const { note } = this.#listener;
    this.#listener.phase('starting the agent of this host');
    const traced = this.#entries.map(({ recording }) => recording);
    const guests = new GuestsOfHost(traced, (recording, pauses) => this.#paused(recording, pauses));
    // only this process can change to other files, as a cap and a rotation need it
    const isFixed = capBytes === undefined && rotation === undefined;
    const filesIn = isFixed ? dirname(host.out) : undefined;
    const machine = await ThisHost.start({ ...host, note, filesIn });
    try {
      const entry = await this.#open(machine, host, guests);
      this.#host = { machine, entry, guests, clocks: new GuestClocks(entry.recording, traced) };
    } catch (cause) {
      await machine.end();
      throw cause;
    }
  }

  /** Starts the host when the threads of all guests are known, and then the guests. */
  async #startAll(): Promise<void> {
    await allOf(this.#entries.map(({ recording }) => recording.prepare()));
    const host = this.#host;
    await host?.guests.look();
    const guests = this.#guests.map(({ recording }) => ({
      start: () => recording.start(),
      readClock: async () => host?.clocks.pingsOf(recording)?.readSeveral(),
    }));
    await startInOrder(host && (() => host.entry.recording.start()), guests);
    this.#readTscs(() => undefined);
    for (const label of host?.guests.unknown ?? []) this.#listener.note(unknownThreads(label));
  }

  /** Aligns the guests' clocks with the host's, from what was recorded. Without alignment they keep their own times. */
  async #align(): Promise<void> {
    const clocks = this.#host?.clocks;
    if (clocks === undefined) return;
    this.#listener.phase('aligning clocks');
    try {
      this.#alignments = await clocks.align(this.#listener.note);
    } catch (cause) {
      if (!(cause instanceof Failure)) throw cause;
      addFailure(this.#guests, cause);
    }
  }

  /** Stops the guests, and then the host. */
  async #stopAll(end: RecordEnd): Promise<void> {
    const host = this.#host;
    // there may be no room for what the host would record meanwhile
    const isUrgent = end.kind === 'failed' || end.kind === 'max-size';
    const guests = this.#guests.map((entry) => {
      const { quiet, done } = this.#stop(entry);
      // a paused guest does not answer, and records nothing
      const isPaused = host?.guests.pausesOf(entry.recording)?.isPaused === true;
      return { quiet: isPaused ? Promise.resolve() : quiet, done };
    });
    await stopInOrder(guests, host && (() => this.#stop(host.entry)), isUrgent ? 0 : undefined);
  }

  get #guests(): readonly Entry[] {
    return this.#entries.filter((entry) => entry !== this.#host?.entry);
  }

  /** The machines whose stop has not begun. */
  get #running(): readonly Entry[] {
    return this.#entries.filter(({ stopping }) => stopping === undefined);
  }

  async #open(
    machine: TracedMachine,
    { out, trace, skipUnknown }: RecordTarget,
    guests: GuestsOfHost | undefined,
  ): Promise<Entry> {
    const { capBytes, timeoutMs } = this.#options;
    const { note } = this.#listener;
    let entry: Entry | undefined;
    const failed = (why: Failure): void => {
      if (entry !== undefined && this.#began) this.#endOne(entry, why);
      else this.#end({ kind: 'failed', why });
    };
    const firstId = newTraceId();
    const recording = await GuestRecording.open(
      {
        machine,
        trace,
        skipUnknown,
        capBytes,
        timeoutMs,
        note,
        failed,
        firstSet: this.#firstSet,
        rotates: this.#rotation !== undefined,
        partOf: (set) => ({
          set,
          out: this.#fileOf(out, set),
          traceId: BigInt.asUintN(64, firstId + BigInt(set - this.#firstSet)),
          guests: guests === undefined ? undefined : () => guests.list(set),
        }),
      },
      this.#collector,
    );
    entry = { recording, failures: [], stopping: undefined };
    this.#entries.push(entry);
    return entry;
  }

  async #look(): Promise<void> {
    for (const entry of this.#running) {
      if (entry === this.#host?.entry && !this.#isHostDue()) continue;
      const pauses = this.#host?.guests.pausesOf(entry.recording);
      // it would not answer; a QEMU that is gone must be noticed
      if (pauses?.isPaused === true && !entry.recording.isGone) continue;
      const sinceMs = performance.now();
      try {
        // meanwhile it may have been told to stop, and then has stopped as it should
        if (entry.stopping === undefined) await entry.recording.look();
        if (entry.stopping === undefined) await this.#host?.clocks.pingsOf(entry.recording)?.readIfDue();
      } catch (cause) {
        if (!(cause instanceof Failure)) throw cause;
        if (pauses?.wasPausedSince(sinceMs) === true && !entry.recording.isGone) continue;
        if (entry.stopping === undefined) this.#endOne(entry, cause);
      }
    }
  }

  #isHostDue(): boolean {
    const nowMs = performance.now();
    const isDue = nowMs - this.#hostLookedMs >= hostLookMs;
    if (isDue) this.#hostLookedMs = nowMs;
    return isDue;
  }

  /** Reads how KVM computes the TSCs of the guests, if that is what the traces count. */
  #readTscs(take: (recording: GuestRecording, tsc: KvmTsc) => void): void {
    for (const { recording } of this.#entries) {
      if (this.#host?.clocks.pingsOf(recording)?.countsCycles !== true) continue;
      const tsc = this.#host.guests.readTsc(recording);
      if (tsc !== undefined) take(recording, tsc);
    }
  }

  #tscKnown(recording: GuestRecording, tsc: KvmTsc): void {
    if (tsc.kind === 'unknown') {
      this.#listener.note(cannotConvert(recording.label, tsc.why));
      return;
    }
    const entry = this.#entries.find((each) => each.recording === recording);
    try {
      recording.setTsc(tsc.tsc);
    } catch (cause) {
      if (!(cause instanceof Failure)) throw cause;
      if (entry !== undefined) addFailure([entry], cause);
    }
  }

  #paused(recording: GuestRecording, pauses: readonly Pause[]): void {
    const entry = this.#entries.find((each) => each.recording === recording);
    try {
      this.#host?.clocks.pingsOf(recording)?.setPauses(pauses);
    } catch (cause) {
      if (!(cause instanceof Failure)) throw cause;
      if (entry !== undefined) addFailure([entry], cause);
    }
  }

  async #lookAtThreads(): Promise<void> {
    if ((await this.#host?.guests.look()) === true) this.#describeGuests();
  }

  /** Updates what the host's recording says of its guests. */
  #describeGuests(): void {
    const host = this.#host;
    if (host === undefined || host.entry.stopping !== undefined) return;
    try {
      host.entry.recording.describeGuests();
    } catch (cause) {
      if (!(cause instanceof Failure)) throw cause;
      this.#endOne(host.entry, cause);
    }
  }

  /**
   * Stops recording one guest that cannot continue, without affecting the others; if it was the last one, the
   * recording ends.
   */
  #endOne(entry: Entry, why: Failure): void {
    addFailure([entry], why);
    if (entry.stopping !== undefined) return;
    this.#listener.note(why.message);
    this.#stop(entry);
    if (this.#running.length === 0) this.#end({ kind: 'failed', why });
  }

  /** Stops a machine, once. */
  #stop(entry: Entry): Stopping {
    const { recording } = entry;
    const quieten = async (): Promise<void> => {
      if (!recording.tracing) return;
      // which of its CPUs were given up
      if (entry === this.#host?.entry) await step(entry, () => recording.look());
      await step(entry, () => recording.stop());
      await step(entry, async () => this.#host?.clocks.pingsOf(recording)?.readSeveral());
    };
    const finished = async (quiet: Promise<void>): Promise<void> => {
      await quiet;
      // do not wait again for a guest that has not answered
      if (!recording.tracing) await step(entry, () => recording.fetchChanges());
    };
    if (entry.stopping === undefined) {
      const quiet = quieten();
      entry.stopping = { quiet, done: finished(quiet) };
    }
    return entry.stopping;
  }

  #close(entry: Entry): Promise<void> {
    return step(entry, () => entry.recording.close());
  }

  async #endHost(): Promise<void> {
    const host = this.#host;
    if (host !== undefined) await step(host.entry, () => host.machine.end());
  }

  #finish(entry: Entry): Promise<GuestReport> {
    const { recording } = entry;
    return finish(entry, {
      options: this.#options,
      listener: this.#listener,
      isHost: entry === this.#host?.entry,
      alignment: this.#alignments.get(recording),
      complete: () => this.#readThreads(recording),
    });
  }

  /** Looks in the host's recording for threads of virtual CPUs that are still unknown. */
  async #readThreads(recording: GuestRecording): Promise<void> {
    const host = this.#host;
    if (recording !== host?.entry.recording || recording.dir === undefined) return;
    if (await host.guests.readEntries(recording.dir)) recording.describeGuests(new Date().toISOString());
  }
}
