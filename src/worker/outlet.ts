/** The destination of a worker's pages. */
export interface Outlet {
  /**
   * Moves up to `bytes` bytes out of the pipe. Never blocks.
   * @param bytes number of bytes in the pipe
   * @returns number of bytes moved, a negative errno, or `anothersTurn` if another worker holds the lock on the output
   */
  push(bytes: number): number;
}
