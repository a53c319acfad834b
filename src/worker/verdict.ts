import { errno } from '../native/error.ts';

/** The meaning of a failed transfer: try again later, the descriptor is dead for good, or an unknown state. */
export type Verdict = 'again' | 'gone' | 'fatal';

/** @param failure the positive errno of splice or read on the ring */
export function ringVerdict(failure: number): Verdict {
  switch (failure) {
    case errno.EAGAIN: // no whole page, or no data at all
    case errno.EINTR:
    case errno.ENOMEM: // no memory for the page list: a temporary shortage
    case errno.EBUSY: // a latency tracer is swapping the buffers
    case errno.ENODEV: // the CPU was never online; its ring appears when the CPU does
      return 'again';
    case errno.EINVAL: // the file position is inside a page: only opening the file again puts it on a page boundary
      return 'gone';
    default:
      return 'fatal';
  }
}

/** @param failure the positive errno of splice or write on the port */
export function portVerdict(failure: number): Verdict {
  switch (failure) {
    case errno.EAGAIN: // the queue is full, or the host end is not connected
    case errno.EINTR:
    case errno.ENOMEM: // the kernel has no memory to copy the pages to: a temporary shortage
      return 'again';
    case errno.ENODEV: // unplugged
    case errno.EPIPE: // the reader of stdout went away
    case errno.ENOSPC: // stdout is a file on a full disk
    case errno.EDQUOT:
    case errno.EFBIG:
    case errno.EIO:
      return 'gone';
    default:
      return 'fatal';
  }
}
