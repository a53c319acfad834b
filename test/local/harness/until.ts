import { setTimeout as sleep } from 'node:timers/promises';

const lookEveryMs = 10;

/** Waits until `look` returns a result, and returns that. Throws after `withinMs` with `what` in its message. */
export async function until<T>(
  what: string | (() => string),
  look: () => T | undefined | false,
  withinMs: number,
): Promise<T> {
  const deadlineMs = performance.now() + withinMs;
  for (;;) {
    const found = look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() >= deadlineMs) {
      throw new Error(`not within ${withinMs} ms: ${typeof what === 'string' ? what : what()}`);
    }
    await sleep(lookEveryMs);
  }
}

/** Waits until a number has not changed for `forMs`, and returns it. */
export async function settled(
  what: string,
  measure: () => number,
  forMs: number,
  withinMs: number,
): Promise<number> {
  let value = measure();
  let sinceMs = performance.now();
  return until(
    () => `${what} does not settle, at ${value}`,
    () => {
      const now = measure();
      if (now !== value) {
        value = now;
        sinceMs = performance.now();
        return undefined;
      }
      return performance.now() - sinceMs >= forMs ? value : undefined;
    },
    withinMs,
  );
}
