import { mapMemory } from '../native/ipc/shared-memory.ts';

/**
 * The account of one CPU's pages, kept in memory that supervisor and worker share, so that it outlives a worker
 * that is killed at any instruction. One side writes, the worker; the supervisor reads it whenever it likes.
 *
 * Layout: doubles (exact up to 2^53 bytes, and written without garbage), and from `stageOffset` on one sub-buffer of
 * staging for the page that is between the ring and the pipe.
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

  /** Counts up while the worker's event loop turns. */
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

  /** Bytes that the port took from the pipe. */
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

  /** How often the port would take no more. */
  get stalls(): number {
    return this.#get(cells.stalls);
  }
  set stalls(value: number) {
    this.#cells[cells.stalls] = value;
  }

  /** 1 from before a page is read into the stage until it is in the pipe. */
  get staged(): number {
    return this.#get(cells.staged);
  }
  set staged(value: number) {
    this.#cells[cells.staged] = value;
  }

  /** What the account says is in the pipe. */
  get bytesHeld(): number {
    return this.bytesIn - this.bytesOut - this.bytesLost;
  }

  /** Takes over the counts of another ledger. */
  continueFrom(other: Ledger): void {
    this.#cells.set(other.#cells);
  }

  /** Gives the memory back; the ledger must not be touched afterwards. */
  unmap(): void {
    this.#unmap();
  }

  #get(cell: number): number {
    return this.#cells[cell] ?? 0;
  }
}
