import { heldBytes } from '../native/pipe.ts';
import { read, splice, write } from '../native/transfer.ts';
import { inherited, type WorkerSetup } from '../protocol/ipc.ts';
import type { Ledger } from '../protocol/ledger.ts';
import { makeOutlet, type Outlet } from './outlet.ts';

/** The system calls of a pump: none blocks, and a failure is the negated errno. */
export interface PumpIo {
  readonly ringFd: number;
  readonly portFd: number;
  readonly outlet: Outlet;
  /** Whole pages from the ring into the pipe. */
  fill(bytes: number): number;
  /** One page, full or not, from the ring into the ledger's stage. */
  readPage(): number;
  /** The stage into the pipe. */
  writePage(): number;
  /** Bytes in the pipe. */
  held(): number;
}

/** The real calls, on the descriptors that a worker inherits. */
export function inheritedIo(setup: WorkerSetup, ledger: Ledger): PumpIo {
  const { stage } = ledger;
  return {
    ringFd: inherited.ring,
    portFd: inherited.port,
    outlet: makeOutlet(setup, ledger),
    fill: (bytes) => splice(inherited.ring, inherited.pipeWrite, bytes),
    readPage: () => read(inherited.ring, stage),
    writePage: () => write(inherited.pipeWrite, stage),
    held: () => heldBytes(inherited.pipeRead),
  };
}
