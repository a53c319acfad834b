import { onEndSignals } from '../../../base/end-signals.ts';
import { exitCode, Failure } from '../../../base/failure.ts';

/**
 * Lets this process end in order when its parent does, however that ends: the close of the channel of fork() counts as
 * an interrupt, unless the process has been asked to end before. Does not keep the process alive. @throws Failure
 */
export function endWithParent(): void {
  if (process.channel === undefined || process.channel === null)
    throw new Failure(exitCode.usage, 'this word is for trace-host itself', 'use trace-host serve');
  let isEnding = false;
  const note = (signal: NodeJS.Signals): void => {
    isEnding = true;
    // nobody else listens: what the signal does by default
    if (process.listenerCount(signal) > 1) return;
    stopNoting();
    process.kill(process.pid, signal);
  };
  const stopNoting = onEndSignals(note, () => undefined);
  process.once('disconnect', () => {
    if (!isEnding) process.kill(process.pid, 'SIGINT');
  });
  process.channel.unref();
}
