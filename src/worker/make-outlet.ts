import { tryLock, unlock } from '../native/io/file-lock.ts';
import { makePipe } from '../native/io/pipe.ts';
import { read, splice, tee, write } from '../native/io/transfer.ts';
import { type Assignment, isOwnOutlet, type Lent, type WorkerSetup } from '../protocol/ipc.ts';
import type { Ledger } from '../protocol/ledger.ts';
import { FrameHeaders } from './frame-headers.ts';
import { lastingCopier, writeWhole } from './lasting-copier.ts';
import type { Outlet } from './outlet.ts';
import { SharedOutlet } from './shared-outlet.ts';

/** The outlet for a virtio port, FIFO or file that only this worker uses. */
function ownOutlet({ pipeRead, port }: Lent): Outlet {
  return { push: (bytes) => splice(pipeRead, port, bytes) };
}

/**
 * The transfer to a file opened with O_APPEND, for which splice returns EINVAL: copies one page at a time through a
 * buffer.
 */
function copier({ pipeRead, port }: Lent, pageBytes: number): (bytes: number) => number {
  const page = new Uint8Array(pageBytes);
  return () => {
    const got = read(pipeRead, page);
    const refused = writeWhole(page.subarray(0, Math.max(got, 0)), into(port));
    return refused < 0 ? refused : got;
  };
}

/** Like `copier`, but for a stream of frames. */
function framedCopier({ pipeRead, port }: Lent, pageBytes: number): () => number {
  const second = makePipe();
  return lastingCopier(pageBytes, {
    peek: (buffer) => {
      const seen = tee(pipeRead, second.writeEnd, buffer.byteLength);
      return seen > 0 ? read(second.readEnd, buffer.subarray(0, seen)) : seen;
    },
    write: into(port),
    take: (buffer) => read(pipeRead, buffer),
  });
}

function into(port: number): (bytes: Uint8Array) => number {
  return (bytes) => write(port, bytes);
}

/** @param ledger counts what this outlet accepts */
export function makeOutlet(
  { outlet, frameSync }: Pick<WorkerSetup, 'outlet' | 'frameSync'>,
  lent: Lent,
  { cpu, pageBytes }: Pick<Assignment, 'cpu' | 'pageBytes'>,
  ledger: Pick<Ledger, 'bytesOut' | 'bytesLost'>,
): Outlet {
  const own = ownOutlet(lent);
  if (isOwnOutlet(outlet)) return own;
  const { turn } = lent;
  if (turn === undefined) throw new Error('a shared outlet without its lock file');
  const transfer = transferOf(frameSync !== undefined);
  const calls = { tryLock: () => tryLock(turn), unlock: () => unlock(turn), transfer };
  if (frameSync === undefined) return new SharedOutlet(calls, pageBytes);
  const headers = new FrameHeaders(Buffer.from(frameSync, 'hex'), cpu, ledger, into(lent.port));
  return new SharedOutlet(calls, pageBytes, headers);

  function transferOf(framed: boolean): (bytes: number) => number {
    if (outlet === 'shared') return (bytes) => own.push(bytes);
    return framed ? framedCopier(lent, pageBytes) : copier(lent, pageBytes);
  }
}
