import { declare, type NativeFunction, nativeFunction, viewMemory } from './libc.ts';

const libcMmap = declare(
  'intptr_t mmap(void *address, size_t bytes, int protection, int flags, int fd, intptr_t offset)',
);
const libcMprotect = declare('int mprotect(intptr_t address, size_t bytes, int protection)');

const PROT_READ_WRITE = 3;
const PROT_READ_EXEC = 5;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const codeBytes = 4096;

/** Machine code that reads the TSC in program order, as the kernel's trace clock x86-tsc does. */
const code = [
  [0x0f, 0xae, 0xe8], // lfence
  [0x0f, 0x31], // rdtsc: high half in edx, low half in eax
  [0x48, 0xc1, 0xe2, 0x20], // shl rdx, 32
  [0x48, 0x09, 0xd0], // or rax, rdx
  [0x48, 0x89, 0x07], // mov [rdi], rax
  [0xc3], // ret
].flat();

/** Undefined before the first use; null where the TSC cannot be read. */
let read: NativeFunction | null | undefined;
const value = new BigUint64Array(1);

/** This CPU's TSC; undefined on processors other than x86-64, and where a process may not create code. */
export function x86Tsc(): bigint | undefined {
  read ??= process.arch === 'x64' ? makeReader() : null;
  if (read === null) return undefined;
  read(value);
  return value[0];
}

function makeReader(): NativeFunction | null {
  const address = libcMmap(null, codeBytes, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
  if (address === -1) return null;
  new Uint8Array(viewMemory(BigInt(address), codeBytes)).set(code);
  // the code stays mapped until the process ends
  if (libcMprotect(address, codeBytes, PROT_READ_EXEC) !== 0) return null;
  return nativeFunction(BigInt(address), 'void (void *value)');
}
