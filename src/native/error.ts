import { constants } from 'node:os';

const names = new Map<number, string>();
for (const [name, value] of Object.entries(constants.errno)) {
  // EAGAIN and EWOULDBLOCK share a number: keep the first, better known name.
  if (!names.has(value)) names.set(value, name);
}

/** The symbolic name of an errno; `E<number>` if Node does not know it. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `E${errno}`;
}

export const errno = constants.errno;

/** A failed system call. `code` is stable (`EBUSY`); `call` names the call and its subject. */
export class NativeError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly call: string;

  constructor(call: string, errno: number) {
    const code = errnoName(errno);
    super(`${call}: ${code}`);
    this.name = 'NativeError';
    this.code = code;
    this.errno = errno;
    this.call = call;
  }
}
