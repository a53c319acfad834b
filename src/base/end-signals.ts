/**
 * Signals closer together than this count as one: timeout(1) signals its child and then the child's process group,
 * and on a busy machine the two arrive milliseconds apart.
 */
const echoMs = 100;

/**
 * Listens for SIGINT and SIGTERM: the first signal, whichever it is, asks the program to end, and any later one to end
 * at once. Also listens for SIGHUP, which never counts as a second request, because a closing terminal causes two of
 * them: one from the shell and one from the kernel.
 * @param first called once
 * @param again called for each later one
 * @param hungUp called for each SIGHUP; without it, SIGHUP is ignored
 * @returns a function that stops listening
 */
export function onEndSignals(
  first: (signal: NodeJS.Signals) => void,
  again: (signal: NodeJS.Signals) => void,
  hungUp: () => void = () => undefined,
): () => void {
  let heard = false;
  let mayRepeat = false;
  const hear = (signal: NodeJS.Signals): void => {
    if (mayRepeat) again(signal);
    if (heard) return;
    heard = true;
    // after a long turn of the event loop, timers run before signal handlers: let pending signals be handled first
    setTimeout(() => setImmediate(() => (mayRepeat = true)), echoMs).unref();
    first(signal);
  };
  process.on('SIGINT', hear).on('SIGTERM', hear).on('SIGHUP', hungUp);
  return () => process.off('SIGINT', hear).off('SIGTERM', hear).off('SIGHUP', hungUp);
}
