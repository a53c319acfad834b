/**
 * A signal that follows another sooner is the same wish: timeout(1) signals its child and then the child's whole group,
 * and on a busy machine the two are heard milliseconds apart.
 */
const echoMs = 100;

/**
 * Listens for SIGINT and SIGTERM, of which the first asks a program to end and the second to end at once, and for
 * SIGHUP: when a terminal is closed shell and kernel both send one, which is never a second wish.
 * @param first called once
 * @param again called for each that comes later
 * @param hungUp called for each SIGHUP; without, it is ignored
 * @returns ends the listening
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
    // after a long turn of the event loop timers come before signals: those that waited are heard first all the same
    setTimeout(() => setImmediate(() => (mayRepeat = true)), echoMs).unref();
    first(signal);
  };
  process.on('SIGINT', hear).on('SIGTERM', hear).on('SIGHUP', hungUp);
  return () => process.off('SIGINT', hear).off('SIGTERM', hear).off('SIGHUP', hungUp);
}
