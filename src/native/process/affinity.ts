import { readdirSync } from 'node:fs';
import { errno, NativeError } from '../error.ts';
import { declare, lastErrno } from '../libc.ts';

const libcSetAffinity = declare('int sched_setaffinity(int tid, size_t bytes, const void *mask)');
const libcGetAffinity = declare('int sched_getaffinity(int tid, size_t bytes, void *mask)');

const longBytes = 8; // the kernel takes masks in whole longs
const glibcMaskBytes = 128; // 1,024 CPUs: enough for nearly everyone, and the size that C programs use
const largestMaskBytes = 8192; // 65,536 CPUs; x86's limit is 8,192

/** The affinity mask with the one bit of `cpu` set, as large as needed and never below 1,024 bits. */
export function maskOf(cpu: number): Uint8Array {
  const needed = (Math.floor(cpu / (longBytes * 8)) + 1) * longBytes;
  const mask = new Uint8Array(Math.max(needed, glibcMaskBytes));
  mask[cpu >> 3] = 1 << (cpu & 7);
  return mask;
}

/** The CPUs of a mask, ascending. */
export function cpusOf(mask: Uint8Array): number[] {
  const cpus: number[] = [];
  mask.forEach((byte, index) => {
    for (let bit = 0; bit < 8; bit += 1) if ((byte & (1 << bit)) !== 0) cpus.push(index * 8 + bit);
  });
  return cpus;
}

/**
 * The CPUs that a thread may run on.
 * @param tid thread id, 0 for the calling thread
 */
export function affinityOf(tid: number): number[] {
  // EINVAL means that the kernel was built for more CPUs than the mask has bits.
  for (let bytes = glibcMaskBytes; ; bytes *= 2) {
    const mask = new Uint8Array(bytes);
    if (libcGetAffinity(tid, bytes, mask) >= 0) return cpusOf(mask);
    const failure = lastErrno();
    if (failure !== errno.EINVAL || bytes >= largestMaskBytes) {
      throw new NativeError('sched_getaffinity', failure);
    }
  }
}

/**
 * Pins every thread of this process to one CPU. Node starts several threads before any script runs, and the main
 * thread's affinity does not apply to them; a thread that starts later inherits the affinity of its creator.
 * @throws NativeError EINVAL when the CPU is offline or does not exist
 */
export function pinProcess(cpu: number): void {
  const mask = maskOf(cpu);
  for (const tid of readdirSync('/proc/self/task')) {
    if (libcSetAffinity(Number(tid), mask.byteLength, mask) >= 0) continue;
    const failure = lastErrno();
    if (failure !== errno.ESRCH) throw new NativeError(`sched_setaffinity(CPU ${cpu})`, failure);
  }
}
