import { mapMemory } from '../native/ipc/shared-memory.ts';

/**
 * The counters of one CPU's pages, in memory that supervisor and worker share, so that they are not lost when a worker
 * is killed, at whatever instruction. Only the worker writes; the supervisor reads at any time.
 *
 * Layout: doubles (exact up to 2^53, and written without allocating), followed at `stageOffset` by one sub-buffer of
 * staging space for a page on its way from the ring to the pipe.
 */
const cells = { beat: 0, bytesIn: 1, bytesOut: 2, bytesLost: 3, stalls: 4, staged: 5 } as const;
const stageOffset = 4096;

export function ledgerBytes(pageBytes: number): number {
  return stageOffset + pageBytes;
}

export class Ledger {
  /** The staging area, one sub-buffer. */
  readonly stage: Uint8Array;
  readonly #cells: Float64Array;
  readonly #unmap: () => void;

  constructor(fd: number, pageBytes: number) {
    const mapping = mapMemory(fd, ledgerBytes(pageBytes));
    this.#cells = new Float64Array(mapping.buffer, 0, Object.keys(cells).length);
    this.stage = new Uint8Array(mapping.buffer, stageOffset, pageBytes);
    this.#unmap = () => mapping.unmap();
  }

  /** Heartbeat: counts up while the worker's event loop runs. */
  get beat(): number {
    return this.#get(cells.beat);
  }
  set beat(value: number) {
    this.#cells[cells.beat] = value;
  }

  /** Bytes taken from the ring into the pipe. */
  get bytesIn(): number {
    return this.#get(cells.bytesIn);
  }
  set bytesIn(value: number) {
    this.#cells[cells.bytesIn] = value;
  }

  /** Bytes moved from the pipe to the port. */
  get bytesOut(): number {
    return this.#get(cells.bytesOut);
  }
  set bytesOut(value: number) {
    this.#cells[cells.bytesOut] = value;
  }

  /** Bytes that left the pipe and did not reach the port. */
  get bytesLost(): number {
    return this.#get(cells.bytesLost);
  }
  set bytesLost(value: number) {
    this.#cells[cells.bytesLost] = value;
  }

  /** Number of times the port was full. */
  get stalls(): number {
    return this.#get(cells.stalls);
  }
  set stalls(value: number) {
    this.#cells[cells.stalls] = value;
  }

  /** 1 while a page is on its way from the ring through the stage to the pipe, else 0. */
  get staged(): number {
    return this.#get(cells.staged);
  }
  set staged(value: number) {
    this.#cells[cells.staged] = value;
  }

  /** Bytes that should be in the pipe according to these counters. */
  get bytesHeld(): number {
    return this.bytesIn - this.bytesOut - this.bytesLost;
  }

  /** Copies the counters of another ledger. */
  continueFrom(other: Ledger): void {
    this.#cells.set(other.#cells);
  }

  /** Unmaps the memory; the ledger must not be used afterwards. */
  unmap(): void {
    this.#unmap();
  }

  #get(cell: number): number {
    return this.#cells[cell] ?? 0;
  }
}
