import { tryLock, unlock } from '../native/file-lock.ts';
import { makePipe } from '../native/pipe.ts';
import { read, splice, tee, write } from '../native/transfer.ts';
import { inherited, type WorkerSetup } from '../protocol/ipc.ts';
import type { Ledger } from '../protocol/ledger.ts';
import { FrameHeaders } from './frame-headers.ts';
import { lastingCopier, writeWhole } from './lasting-copier.ts';
import { SharedOutlet } from './shared-outlet.ts';

/** Where the pipe is emptied to. */
export interface Outlet {
  /**
   * Moves up to `bytes` from the pipe on; never blocks longer than the move takes.
   * @param bytes all that the pipe holds
   * @returns bytes moved, the negated errno, or `anothersTurn`
   */
  push(bytes: number): number;
}

/** A virtio port or FIFO of this worker's own. */
const ownOutlet: Outlet = {
  push: (bytes) => splice(inherited.pipeRead, inherited.port, bytes),
};

/** For a file opened to append, to which splice says EINVAL: one page after the other through a buffer. */
function copier(pageBytes: number): (bytes: number) => number {
  const page = new Uint8Array(pageBytes);
  return () => {
    const got = read(inherited.pipeRead, page);
    const refused = writeWhole(page.subarray(0, Math.max(got, 0)), intoOutlet);
    return refused < 0 ? refused : got;
  };
}

/** The same for frames. */
function inheritedCopier(pageBytes: number): () => number {
  const second = makePipe();
  return lastingCopier(pageBytes, {
    peek: (buffer) => {
      const seen = tee(inherited.pipeRead, second.writeEnd, buffer.byteLength);
      return seen > 0 ? read(second.readEnd, buffer.subarray(0, seen)) : seen;
    },
    write: intoOutlet,
    take: (buffer) => read(inherited.pipeRead, buffer),
  });
}

function intoOutlet(bytes: Uint8Array): number {
  return write(inherited.port, bytes);
}

/** @param ledger the account of what this outlet takes */
export function makeOutlet(setup: WorkerSetup, ledger: Pick<Ledger, 'bytesOut' | 'bytesLost'>): Outlet {
  switch (setup.outlet) {
    case 'splice':
      return ownOutlet;
    case 'shared':
      return sharedOutlet((bytes) => ownOutlet.push(bytes), setup, ledger);
    case 'copied':
      return sharedOutlet(
        setup.frameSync === undefined ? copier(setup.pageBytes) : inheritedCopier(setup.pageBytes),
        setup,
        ledger,
      );
    default:
      return setup.outlet satisfies never;
  }
}

function sharedOutlet(
  transfer: (bytes: number) => number,
  { cpu, pageBytes, frameSync }: WorkerSetup,
  ledger: Pick<Ledger, 'bytesOut' | 'bytesLost'>,
): Outlet {
  const { turn } = inherited;
  const calls = { tryLock: () => tryLock(turn), unlock: () => unlock(turn), transfer };
  if (frameSync === undefined) return new SharedOutlet(calls, pageBytes);
  const sync = Buffer.from(frameSync, 'hex');
  const headers = new FrameHeaders(sync, cpu, ledger, intoOutlet);
  return new SharedOutlet(calls, pageBytes, headers);
}
