/** Where the pipe is emptied to. */
export interface Outlet {
  /**
   * Moves up to `bytes` from the pipe on; never blocks longer than the move takes.
   * @param bytes all that the pipe holds
   * @returns bytes moved, the negated errno, or `anothersTurn`
   */
  push(bytes: number): number;
}
