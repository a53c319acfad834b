import { errno } from '../native/error.ts';
import { tryLock, unlock } from '../native/file-lock.ts';
import { read, splice, write } from '../native/transfer.ts';
import { inherited, type WorkerSetup } from '../protocol/ipc.ts';
import type { Ledger } from '../protocol/ledger.ts';
import { FrameHeaders } from './frame-headers.ts';
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
    for (let done = 0; done < got; ) {
      const put = write(inherited.port, page.subarray(done, got));
      if (put === -errno.EINTR) continue;
      if (put < 0) return put;
      done += put;
    }
    return got;
  };
}

/** @param ledger the account of what this outlet takes */
export function makeOutlet(setup: WorkerSetup, ledger: Pick<Ledger, 'bytesOut' | 'bytesLost'>): Outlet {
  switch (setup.outlet) {
    case 'splice':
      return ownOutlet;
    case 'shared':
      return sharedOutlet((bytes) => ownOutlet.push(bytes), setup, ledger);
    case 'copied':
      return sharedOutlet(copier(setup.pageBytes), setup, ledger);
    default:
      return setup.outlet satisfies never;
  }
}

function sharedOutlet(
  transfer: (bytes: number) => number,
  { cpu, pageBytes, frameSync }: WorkerSetup,
  ledger: Pick<Ledger, 'bytesOut' | 'bytesLost'>,
): Outlet {
  const { turn, port } = inherited;
  const calls = { tryLock: () => tryLock(turn), unlock: () => unlock(turn), transfer };
  if (frameSync === undefined) return new SharedOutlet(calls, pageBytes);
  const sync = Buffer.from(frameSync, 'hex');
  const headers = new FrameHeaders(sync, cpu, ledger, (bytes) => write(port, bytes));
  return new SharedOutlet(calls, pageBytes, headers);
}
