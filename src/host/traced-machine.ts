import type { Duplex } from 'node:stream';
import type { Failure } from '../base/failure.ts';
import type { Chardev } from './port-names.ts';

/** A machine that is traced: a guest by its ports, or this host by an agent of its own. */
export interface TracedMachine {
  /** A guest's directory, or the host's tracefs; the key of the metadata cache. */
  readonly path: string;
  /** A guest's name; undefined when it has none. */
  readonly guest: string | undefined;
  /** The name in messages. */
  readonly label: string;
  /** The options that select the machine in another trace-host command, with a leading blank. */
  readonly options: string;
  readonly chardev: Chardev;
  /** CPUs that have a trace port, ascending. */
  readonly cpus: readonly number[];
  /** The control port of this host's agent, already connected; undefined for a guest. */
  readonly control: OwnControl | undefined;
  /** The files into which its workers write the pages of this recording; undefined if the pages come out of ports. */
  readonly files?: OwnFiles | undefined;
  /**
   * Locks the control port, so that only this process can give orders.
   * @returns a function that releases the lock
   * @throws Failure if another process gives orders
   */
  lock(): () => void;
  /** Opens one end of a port's pipe, non-blocking. The caller owns it. @throws Failure */
  openFifo(port: string, end: 'in' | 'out'): number;
  /** Path of a port's UNIX socket, if `chardev` is `socket`. */
  socketPath(port: string): string;
  /** The error when nobody has a port's other end open. */
  nobody(file: string, cause?: unknown): Failure;
  close(): void;
}

export interface OwnControl {
  readonly stream: Duplex;
  /** The error when its other end was closed. */
  readonly gone: (cause: unknown) => Failure;
  /** The error when no answer came in time. */
  readonly silent: (timeoutMs: number) => Failure;
}

/** Files, one for each CPU and without names yet, that workers write. */
export interface OwnFiles {
  /** The file of a CPU, once. The caller owns the descriptor. */
  take(cpu: number): number;
  /** Called once for each CPU whose file cannot be written any more, with the errno's name. Set this before the start. */
  failed: (cpu: number, code: string) => void;
}

/** How a message names the owner of the files that it is about. */
export function whose({ control }: Pick<TracedMachine, 'control'>): string {
  return control === undefined ? "the guest's" : "this host's";
}
