import { checked, declare } from '../libc.ts';

const libcMkfifo = declare('int mkfifo(const char *path, unsigned int mode)');

/** Makes a FIFO; the umask takes bits from `mode`. @throws NativeError EEXIST when anything has that name already */
export function makeFifo(path: string, mode: number): void {
  checked('mkfifo', libcMkfifo(path, mode));
}
