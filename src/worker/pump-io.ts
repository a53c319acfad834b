import { heldBytes } from '../native/io/pipe.ts';
import { read, splice, write } from '../native/io/transfer.ts';
import type { Assignment, Lent, WorkerSetup } from '../protocol/ipc.ts';
import type { Ledger } from '../protocol/ledger.ts';
import { makeOutlet } from './make-outlet.ts';
import type { Outlet } from './outlet.ts';

/** The system calls of a pump. None of them blocks; on failure, each returns the negated errno. */
export interface PumpIo {
  readonly ringFd: number;
  readonly portFd: number;
  readonly outlet: Outlet;
  /** Splices whole pages from the ring into the pipe. */
  fill(bytes: number): number;
  /** Reads one page, full or partial, from the ring into the ledger's staging buffer. */
  readPage(): number;
  /** Writes the staging buffer into the pipe. */
  writePage(): number;
  /** Bytes in the pipe. */
  held(): number;
}

/** A `PumpIo` that makes the system calls on a worker's descriptors. */
export function lentIo(lent: Lent, setup: WorkerSetup, assignment: Assignment, ledger: Ledger): PumpIo {
  const { stage } = ledger;
  return {
    ringFd: lent.ring,
    portFd: lent.port,
    outlet: makeOutlet(setup, lent, assignment, ledger),
    fill: (bytes) => splice(lent.ring, lent.pipeWrite, bytes),
    readPage: () => read(lent.ring, stage),
    writePage: () => write(lent.pipeWrite, stage),
    held: () => heldBytes(lent.pipeRead),
  };
}
