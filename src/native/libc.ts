import koffi from 'koffi';
import { NativeError } from './error.ts';

/** The C library that Node runs on. `null` loads from the process itself: this works with glibc and with musl. */
const library = koffi.load(null);

type Argument = number | bigint | string | null | Uint8Array | Int32Array | BigInt64Array | BigUint64Array;

/** A C function that returns an integer small enough to be exact in a double. */
export interface NativeFunction {
  (...values: Argument[]): number;
  /**
   * The same call on a thread of Node's pool. The last argument is the callback; errno is valid inside it. koffi does
   * not keep the arguments alive (seen with 3.3.4: the kernel wrote to freed memory), so the callback must.
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

/** The function at an address of this process. */
export function nativeFunction(address: bigint, signature: string): NativeFunction {
  const decoded: NativeFunction = koffi.decode(address, koffi.proto(signature));
  return decoded;
}

/** The errno of the last synchronous call. Valid only right after it: any fs call or await overwrites it. */
export function lastErrno(): number {
  return koffi.errno();
}

/** Returns `result`, which the last call returned; throws NativeError with its errno if it is negative. */
export function checked(call: string, result: number): number {
  if (result < 0) throw new NativeError(call, koffi.errno());
  return result;
}

/** The address of a buffer, for a C structure that points to it. The caller keeps the buffer alive. */
export function addressOf(memory: Uint8Array): bigint {
  return koffi.address(memory);
}

/** An ArrayBuffer over `bytes` of foreign memory at `pointer`, not a copy. The caller keeps the memory mapped. */
export function viewMemory(pointer: bigint, bytes: number): ArrayBuffer {
  return koffi.view(pointer, bytes);
}
