import { checked, declare, lastErrno, viewMemory } from '../libc.ts';
import { NativeError } from '../error.ts';

const libcMemfd = declare('int memfd_create(const char *name, unsigned int flags)');
const libcTruncate = declare('int ftruncate(int fd, intptr_t bytes)');
const libcMmap = declare(
  'intptr_t mmap(void *address, size_t bytes, int protection, int flags, int fd, intptr_t offset)',
);
const libcMunmap = declare('int munmap(intptr_t address, size_t bytes)');

const libcFcntl = declare('int fcntl(int fd, int command, intptr_t argument)');

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const F_ADD_SEALS = 1033;
const F_SEAL_SHRINK = 2;
const F_SEAL_GROW = 4;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;

/**
 * A memory file of `bytes` zeros; whoever holds the descriptor can map it. The caller owns it. Its size is sealed: a
 * less privileged process that could shrink it could kill this process with SIGBUS.
 */
export function makeMemory(name: string, bytes: number): number {
  const fd = checked('memfd_create', libcMemfd(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  checked('ftruncate', libcTruncate(fd, bytes));
  checked('fcntl(F_ADD_SEALS)', libcFcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
  return fd;
}

export interface Mapping {
  readonly buffer: ArrayBuffer;
  /** Unmaps the memory: touching `buffer` afterwards causes a segmentation fault. */
  unmap(): void;
}

/** Maps the first `bytes` of a memfd: what one process writes is immediately visible to all others that map it. */
export function mapMemory(fd: number, bytes: number): Mapping {
  const address = libcMmap(null, bytes, PROT_READ_WRITE, MAP_SHARED, fd, 0);
  if (address === -1) throw new NativeError('mmap', lastErrno());
  return {
    buffer: viewMemory(BigInt(address), bytes),
    unmap: () => {
      checked('munmap', libcMunmap(address, bytes));
    },
  };
}
