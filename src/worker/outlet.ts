/** The destination of a worker's pages. */
export interface Outlet {
  /**
   * Moves up to `bytes` out of the pipe. Never waits.
   * @param bytes everything in the pipe
   * @returns bytes moved, the negated errno, or `anothersTurn`
   */
  push(bytes: number): number;
}
