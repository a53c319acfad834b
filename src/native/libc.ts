import koffi from 'koffi';
import { NativeError } from './error.ts';

/**
 * The C library that Node itself runs on, glibc or musl: loading the process rather than a file name finds it
 * under either.
 */
const library = koffi.load(null);

type Argument = number | bigint | string | null | Uint8Array | Int32Array | BigInt64Array;

/** A C function that returns an integer that a double holds exactly. */
export interface NativeFunction {
  (...values: Argument[]): number;
  /**
   * The same call on a thread of Node's pool; the last argument is the callback, and errno is right in it. koffi keeps
   * no argument alive meanwhile (seen with 3.3.4: the kernel wrote to memory that was freed): the callback must.
   */
  async(...values: (Argument | ((error: Error | null, result: number) => void))[]): void;
}

/** Declares a C function; the signature is koffi's C-like text. */
export function declare(signature: string): NativeFunction {
  return library.func(signature) as NativeFunction;
}

/** Declares a C function that returns a pointer, null for NULL. */
export function declarePointer(signature: string): (...values: Argument[]) => bigint | null {
  return library.func(signature) as (...values: Argument[]) => bigint | null;
}

/** The errno of the synchronous call just made. Only right directly after it: any fs call or await overwrites it. */
export function lastErrno(): number {
  return koffi.errno();
}

/** Returns `result` of the call just made, or throws its errno when it is negative. */
export function checked(call: string, result: number): number {
  if (result < 0) throw new NativeError(call, koffi.errno());
  return result;
}

/** Where memory of ours is, for a structure of C that points to it; whoever writes that down keeps the memory alive. */
export function addressOf(memory: Uint8Array): bigint {
  return koffi.address(memory);
}

/** Sees `bytes` of foreign memory at `pointer` as an ArrayBuffer, without copying; the caller keeps it mapped. */
export function viewMemory(pointer: bigint, bytes: number): ArrayBuffer {
  return koffi.view(pointer, bytes);
}
