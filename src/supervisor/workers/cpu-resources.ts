import { closeSync } from 'node:fs';
import { exitCode, Failure } from '../../base/failure.ts';
import { NativeError } from '../../native/error.ts';
import { heldBytes, makePipe, type Pipe, pipeBytes, setPipeBytes } from '../../native/io/pipe.ts';
import { makeMemory } from '../../native/ipc/shared-memory.ts';
import type { CpuAccount } from '../../protocol/control.ts';
import type { Lent } from '../../protocol/ipc.ts';
import { Ledger, ledgerBytes } from '../../protocol/ledger.ts';
import type { OutletSource } from '../ports/outlets.ts';

/** The ring that a CPU is read from. */
export interface RingSource {
  openRing(cpu: number): number;
  pageBytes(): number;
  ringPages(cpu: number): number;
}

/**
 * What a CPU's workers are lent, one after the other: the ring's descriptor, the pipe, the outlet and the ledger. The
 * pipe and what it holds outlive workers, and ports that go and come.
 */
export class CpuResources {
  readonly #cpu: number;
  readonly #outlets: OutletSource;
  readonly #pipeBytes: number;
  #ringFd: number | undefined;
  #portFd: number | undefined;
  #pipe: Pipe | undefined;
  #ledgerFd: number | undefined;
  #ledger: Ledger | undefined;
  #pageBytes = 0;

  /** @param pipeBytes the capacity to ask for */
  constructor(cpu: number, outlets: OutletSource, pipeBytes: number) {
    this.#cpu = cpu;
    this.#outlets = outlets;
    this.#pipeBytes = pipeBytes;
  }

  get pageBytes(): number {
    return this.#pageBytes;
  }

  /**
   * How many pages one splice brings into the empty pipe. A slot takes a page of any size, but the kernel asks the ring
   * for no more bytes than the slots would hold of its own pages, and the ring refuses to give less than one page.
   */
  get pipePages(): number {
    return Math.floor(pipeBytes(this.#openPipe().writeEnd) / this.#pageBytes);
  }

  /** Counts up while the worker's event loop turns. */
  get beat(): number {
    return this.#ledger?.beat ?? 0;
  }

  get account(): CpuAccount {
    const ledger = this.#ledger;
    if (ledger === undefined) return { pagesIn: 0, bytesOut: 0, bytesLost: 0, stalls: 0 };
    return {
      pagesIn: Math.floor(ledger.bytesIn / this.#pageBytes),
      bytesOut: ledger.bytesOut,
      bytesLost: ledger.bytesLost,
      stalls: ledger.stalls,
    };
  }

  /** Bytes taken from the ring that the port has not taken yet. */
  get heldBytes(): number {
    return this.#pipe === undefined ? 0 : heldBytes(this.#pipe.readEnd);
  }

  /** Opens what is not open. @throws Failure or NativeError; what could be opened is, and is not opened again */
  open(ring: RingSource): void {
    this.#ringFd ??= ring.openRing(this.#cpu);
    this.#portFd ??= this.#outlets.open(this.#cpu);
    const pageBytes = ring.pageBytes();
    this.#pipe ??= makePipeOf(this.#pipeBytes);
    makeRoom(this.#pipe, pageBytes);
    this.#openLedger(pageBytes);
  }

  /** What a worker is lent; only while all is open. */
  get lent(): Lent {
    const { readEnd, writeEnd } = this.#openPipe();
    const [ring, port, ledger] = [this.#ringFd, this.#portFd, this.#ledgerFd];
    if (ring === undefined || port === undefined || ledger === undefined)
      throw new Error('lent before it was opened');
    return { ring, pipeRead: readEnd, pipeWrite: writeEnd, port, ledger, turn: this.#outlets.turnFd };
  }

  close(what: 'ring' | 'port' | 'all'): void {
    if (what !== 'port' && this.#ringFd !== undefined) {
      closeSync(this.#ringFd);
      this.#ringFd = undefined;
    }
    if (what !== 'ring' && this.#portFd !== undefined) {
      closeSync(this.#portFd);
      this.#portFd = undefined;
    }
  }

  /** Gives everything up, the pipe with what it holds too. */
  dispose(): void {
    this.close('all');
    if (this.#pipe !== undefined) {
      closeSync(this.#pipe.readEnd);
      closeSync(this.#pipe.writeEnd);
      this.#pipe = undefined;
    }
    this.#dropLedger();
  }

  #openPipe(): Pipe {
    if (this.#pipe === undefined) throw new Error('forked before it was opened');
    return this.#pipe;
  }

  /** The account goes on over a change of page size; only the staging area changes with it. */
  #openLedger(pageBytes: number): void {
    if (this.#ledger !== undefined && pageBytes === this.#pageBytes) return;
    const fd = makeMemory('trace-agent-ledger', ledgerBytes(pageBytes));
    const ledger = new Ledger(fd, pageBytes);
    if (this.#ledger !== undefined) ledger.continueFrom(this.#ledger);
    this.#dropLedger();
    this.#ledgerFd = fd;
    this.#ledger = ledger;
    this.#pageBytes = pageBytes;
  }

  #dropLedger(): void {
    this.#ledger?.unmap();
    this.#ledger = undefined;
    if (this.#ledgerFd !== undefined) closeSync(this.#ledgerFd);
    this.#ledgerFd = undefined;
  }
}

/** @returns a pipe as near to the size asked for as this user may have */
function makePipeOf(bytes: number): Pipe {
  const pipe = makePipe();
  for (let size = bytes; size >= 65_536; size /= 2) {
    try {
      setPipeBytes(pipe.writeEnd, size);
      break;
    } catch (error) {
      if (!(error instanceof NativeError && error.code === 'EPERM')) throw error;
    }
  }
  return pipe;
}

/** Sub-buffers may be larger than the pipe that was asked for. @throws Failure when this user may not have one that large */
function makeRoom(pipe: Pipe, pageBytes: number): void {
  if (pipeBytes(pipe.writeEnd) >= pageBytes) return;
  try {
    setPipeBytes(pipe.writeEnd, pageBytes);
  } catch (error) {
    if (!(error instanceof NativeError && error.code === 'EPERM')) throw error;
    const message = `a page of ${pageBytes} bytes is larger than a pipe that this user may have`;
    throw new Failure(exitCode.notPermitted, message, 'run as root, or raise /proc/sys/fs/pipe-max-size', {
      cause: error,
    });
  }
}
