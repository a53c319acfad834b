import { closeSync } from 'node:fs';
import { checked, declare } from '../libc.ts';

const libcTimerfd = declare('int timerfd_create(int clock, int flags)');
const libcSettime = declare('int timerfd_settime(int fd, int flags, const void *time, void *before)');

const CLOCK_MONOTONIC = 1;
// TFD_NONBLOCK and TFD_CLOEXEC are O_NONBLOCK and O_CLOEXEC.
const flags = 0o4000 | 0o2000000;

/** A timer that poll can wait for. */
export class Timerfd {
  /** Readable from the time that was set last. */
  readonly fd: number;
  // struct itimerspec: interval, then first time, each in seconds and nanoseconds
  readonly #time = new BigInt64Array(4);

  constructor() {
    this.fd = checked('timerfd_create', libcTimerfd(CLOCK_MONOTONIC, flags));
  }

  /** Makes the descriptor readable in `ms` milliseconds (more than 0), whatever it was set to before. */
  set(ms: number): void {
    this.#time[2] = BigInt(Math.floor(ms / 1000));
    this.#time[3] = BigInt((ms % 1000) * 1_000_000);
    checked('timerfd_settime', libcSettime(this.fd, 0, new Uint8Array(this.#time.buffer), null));
  }

  close(): void {
    closeSync(this.fd);
  }
}
