import { checked, declare } from '../libc.ts';

const libcMkfifo = declare('int mkfifo(const char *path, unsigned int mode)');

/** Makes a FIFO; the umask applies to `mode`. @throws NativeError EEXIST when the name is taken */
export function makeFifo(path: string, mode: number): void {
  checked('mkfifo', libcMkfifo(path, mode));
}
