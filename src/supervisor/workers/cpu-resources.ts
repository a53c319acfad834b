import { closeSync } from 'node:fs';
import { exitCode, Failure } from '../../base/failure.ts';
import { NativeError } from '../../native/error.ts';
import { heldBytes, makePipe, type Pipe, pipeBytes, setPipeBytes } from '../../native/io/pipe.ts';
import { makeMemory } from '../../native/ipc/shared-memory.ts';
import type { CpuAccount } from '../../protocol/control.ts';
import type { Lent } from '../../protocol/ipc.ts';
import { Ledger, ledgerBytes } from '../../protocol/ledger.ts';
import type { OutletSource } from '../ports/outlets.ts';

/** The ring of a CPU. */
export interface RingSource {
  openRing(cpu: number): number;
  pageBytes(): number;
  ringPages(cpu: number): number;
}

/**
 * The resources that the workers of a CPU receive, one worker after another: the ring's descriptor, the pipe, the
 * outlet and the ledger. The pipe and its content are kept when a worker ends, and while the port is unplugged.
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

  /** @param pipeBytes the requested capacity */
  constructor(cpu: number, outlets: OutletSource, pipeBytes: number) {
    this.#cpu = cpu;
    this.#outlets = outlets;
    this.#pipeBytes = pipeBytes;
  }

  get pageBytes(): number {
    return this.#pageBytes;
  }

  /**
   * Number of pages that one splice moves into the empty pipe. A slot of the pipe can hold a page of any size. But
   * splice requests at most as many bytes as the slots would hold with a system page in each, and the ring returns at
   * least one of its own pages.
   */
  get pipePages(): number {
    return Math.floor(pipeBytes(this.#openPipe().writeEnd) / this.#pageBytes);
  }

  /** A counter that increases while the worker's event loop runs. */
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

  /** Bytes that were taken from the ring and have not reached the port yet. */
  get heldBytes(): number {
    return this.#pipe === undefined ? 0 : heldBytes(this.#pipe.readEnd);
  }

  /**
   * Opens everything that is not open yet.
   * @throws Failure or NativeError; what was opened stays open and is not opened again
   */
  open(ring: RingSource): void {
    this.#ringFd ??= ring.openRing(this.#cpu);
    this.#portFd ??= this.#outlets.open(this.#cpu);
    const pageBytes = ring.pageBytes();
    this.#pipe ??= makePipeOf(this.#pipeBytes);
    makeRoom(this.#pipe, pageBytes);
    this.#openLedger(pageBytes);
  }

  /** The descriptors for a worker; only available while everything is open. */
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

  /** Closes everything, including the pipe with its content. */
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

  /** The counters continue across a change of page size; only the staging area changes. */
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

/** @returns a pipe as close to the requested size as this user may have */
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

/**
 * Enlarges the pipe: sub-buffers may be larger than the requested size. @throws Failure when this user may not have
 * one that large
 */
function makeRoom(pipe: Pipe, pageBytes: number): void {
  if (pipeBytes(pipe.writeEnd) >= pageBytes) return;
  try {
    setPipeBytes(pipe.writeEnd, pageBytes);
  } catch (error) {
    if (!(error instanceof NativeError && error.code === 'EPERM')) throw error;
    const message = `a page of ${pageBytes} bytes is larger than the largest pipe that this user may have`;
    throw new Failure(exitCode.notPermitted, message, 'run as root, or raise /proc/sys/fs/pipe-max-size', {
      cause: error,
    });
  }
}
