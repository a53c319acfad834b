import { errorCode } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { connectUnix } from '../../native/ipc/unix-socket.ts';
import type { TracedMachine } from '../traced-machine.ts';
import { tracePortName } from '../port-names.ts';
import { type Collector, Nowhere, type Stream, type StreamFault } from './collector.ts';
import type { RawFile } from '../../trace/recording/raw-file.ts';

/**
 * An earlier trace counts as drained when nothing has arrived for this long. `nothing` applies as long as no byte has
 * arrived, `something` afterwards: a FIFO's content is available at once, but QEMU may have more, and may take a while
 * to send it on a busy machine.
 */
const staleQuietMs = { nothing: 150, something: 1000 } as const;
/**
 * Time limit for draining. Ports, pipes and QEMU hold a few MiB: a stopped guest that sends for longer than this must
 * be producing new pages.
 */
const staleMs = 5000;
/** Maximum time until the bytes that the agent has sent arrive. */
const arrivalMs = 10_000;
const arrivalPollMs = 20;

/**
 * A machine's trace ports and the files that they are collected into; at first their data is discarded. Or the files that
 * its own workers write.
 */
export class GuestPorts {
  readonly #guest: TracedMachine;
  readonly #failed: (cpu: number, fault: StreamFault) => void;
  readonly #streams = new Map<number, Stream>();
  readonly #files = new Map<number, RawFile>();
  /** Bytes that went to files before the current ones, by CPU. */
  readonly #earlierBytes = new Map<number, number>();
  #isSealed = false;
  /** CPUs that are no longer collected. */
  readonly #faulted = new Set<number>();

  /** @param failed called when a file or a port fails; collection of the other CPUs continues */
  constructor(guest: TracedMachine, failed: (cpu: number, fault: StreamFault) => void) {
    this.#guest = guest;
    this.#failed = failed;
  }

  /** The current files by CPU; empty until `collectInto`. */
  get files(): ReadonlyMap<number, RawFile> {
    return this.#files;
  }

  /** Bytes of a CPU in all its files. */
  receivedBytes(cpu: number): number {
    return (this.#earlierBytes.get(cpu) ?? 0) + (this.#files.get(cpu)?.receivedBytes ?? 0);
  }

  /** Opens all ports; their data is discarded. @throws Failure */
  open(collector: Collector): void {
    const { files } = this.#guest;
    if (files !== undefined) {
      files.failed = (cpu, code) => this.#fault(cpu, { kind: 'file', code });
      return;
    }
    for (const cpu of this.#guest.cpus) {
      const stream: Stream = {
        fd: this.#openPort(tracePortName(cpu)),
        chardev: this.#guest.chardev,
        file: new Nowhere(),
        failed: (fault) => {
          if (fault.kind === 'file') stream.file = new Nowhere();
          this.#fault(cpu, fault);
        },
      };
      this.#streams.set(cpu, stream);
      collector.add(stream);
    }
  }

  /**
   * Waits until an earlier trace is drained.
   * @param goOn called at intervals; ends the wait by throwing
   * @returns bytes that were discarded. @throws Failure if data keeps arriving
   */
  async drain(goOn: () => void): Promise<number> {
    if (this.#streams.size === 0) return 0;
    const stale = (): number =>
      [...this.#streams.values()].reduce((sum, { file }) => sum + file.receivedBytes, 0);
    const deadlineMs = performance.now() + staleMs;
    for (let last = -1; last !== stale(); ) {
      if (performance.now() >= deadlineMs) {
        throw new Failure(
          exitCode.failed,
          `${this.#guest.label} reports that it is stopped, but keeps sending`,
          'check which program writes to its trace ports',
        );
      }
      last = stale();
      goOn();
      const quietMs = last > 0 ? staleQuietMs.something : staleQuietMs.nothing;
      await new Promise((resolve) => setTimeout(resolve, quietMs));
    }
    return stale();
  }

  /** Starts to write the data of each port to a file. @param files one for each CPU */
  collectInto(files: ReadonlyMap<number, RawFile>): void {
    for (const [cpu, file] of files) {
      this.#files.set(cpu, file);
      const stream = this.#streams.get(cpu);
      if (stream === undefined) continue;
      const nowhere = stream.file;
      stream.file = file;
      nowhere.close();
    }
  }

  /**
   * Lets further data go to other files. Those before stay open.
   * @param files one for each CPU; what they have already counts as received, and the files before no longer have it
   */
  changeFiles(files: ReadonlyMap<number, RawFile>): void {
    for (const [cpu, file] of files) {
      const before = this.#files.get(cpu);
      this.#earlierBytes.set(cpu, this.receivedBytes(cpu));
      this.#files.set(cpu, file);
      const stream = this.#streams.get(cpu);
      // the data of a CPU with a fault is discarded
      if (stream !== undefined && stream.file === before) stream.file = file;
    }
  }

  /** Sets the page size of the files. If a file cannot be written, that is reported as a fault of its stream. */
  havePages(pageBytes: number): void {
    for (const [cpu, file] of this.#files) {
      try {
        file.havePages?.(pageBytes);
      } catch (cause) {
        const code = errorCode(cause);
        if (code === '') throw cause;
        this.#streams.get(cpu)?.failed({ kind: 'file', code });
      }
    }
  }

  /**
   * Waits, for a limited time, until as many bytes have arrived as were sent since the ports were opened.
   * @returns the number of missing bytes by CPU
   */
  async arrive(sentBytes: (cpu: number) => number): Promise<readonly (readonly [number, number])[]> {
    const missing = (): [number, number][] =>
      [...this.#files]
        .filter(([cpu]) => !this.#faulted.has(cpu))
        .map(([cpu]): [number, number] => [cpu, sentBytes(cpu) - this.receivedBytes(cpu)])
        .filter(([, bytes]) => bytes > 0);
    const deadlineMs = performance.now() + arrivalMs;
    while (missing().length > 0 && performance.now() < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, arrivalPollMs));
    }
    return missing();
  }

  /** Closes the files; data of the ports is discarded from now on. `files` still has their sizes. */
  seal(): void {
    if (this.#isSealed) return;
    this.#isSealed = true;
    // the collector may still run, and the number of a closed descriptor may be reused
    for (const [cpu, stream] of this.#streams)
      if (stream.file === this.#files.get(cpu)) stream.file = new Nowhere();
    for (const file of this.#files.values()) file.close();
  }

  /** Closes the files, which will be removed; data of the ports is discarded from now on. */
  forgetFiles(): void {
    this.seal();
    this.#files.clear();
  }

  /** Closes everything when nothing is collected any more. `files` still has the sizes. */
  close(): void {
    this.seal();
    for (const { file } of this.#streams.values()) file.close();
  }

  #fault(cpu: number, fault: StreamFault): void {
    this.#faulted.add(cpu);
    this.#failed(cpu, fault);
  }

  #openPort(port: string): number {
    if (this.#guest.chardev === 'pipe') return this.#guest.openFifo(port, 'out');
    try {
      return connectUnix(this.#guest.socketPath(port));
    } catch (cause) {
      throw this.#guest.nobody(`${port}.socket`, cause);
    }
  }
}
