import { declare, declarePointer } from '../libc.ts';

// Part of libuv's public interface, which Node exports to addons.
const uvDefaultLoop = declarePointer('void *uv_default_loop()');
const uvBackendFd = declare('int uv_backend_fd(void *loop)');

/**
 * The descriptor on which the main thread's event loop waits: readable when the loop has something to do
 * other than a timer. A caller that polls it together with other descriptors can let the loop run when it has work
 * (libuv documents this as embedding the loop in another one).
 */
export function eventLoopFd(): number {
  return uvBackendFd(uvDefaultLoop());
}
