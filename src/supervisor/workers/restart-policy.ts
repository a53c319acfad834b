export interface RestartLimits {
  /** After more restarts than this within `windowMs`, the worker is given up. */
  readonly maxRestarts: number;
  readonly windowMs: number;
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
  /** After a worker has lived this long, the delay is the shortest one again. */
  readonly healthyMs: number;
}

export const defaultRestartLimits = {
  windowMs: 60_000,
  firstDelayMs: 100,
  longestDelayMs: 10_000,
  healthyMs: 30_000,
} as const;

/**
 * The policy's record of a worker: crash times within the window, and the number of crashes without a healthy time
 * in between.
 */
export interface CrashHistory {
  readonly crashesMs: readonly number[];
  readonly streak: number;
}

export const noCrashes: CrashHistory = { crashesMs: [], streak: 0 };

export type RestartDecision =
  | { readonly kind: 'restart'; readonly delayMs: number; readonly history: CrashHistory }
  | { readonly kind: 'give-up'; readonly history: CrashHistory };

/**
 * Decides what to do after a crash: restart the worker after an exponential back-off, or give up a worker that keeps
 * crashing. The back-off has jitter, so that workers that crashed together do not restart together.
 *
 * @param nowMs time of the crash, monotonic
 * @param livedMs how long the worker had been ready
 * @param random in [0, 1): the delay is between half and the whole of the back-off
 */
export function decideRestart(
  history: CrashHistory,
  nowMs: number,
  livedMs: number,
  limits: RestartLimits,
  random: number,
): RestartDecision {
  const crashesMs = [...history.crashesMs.filter((time) => time > nowMs - limits.windowMs), nowMs];
  const streak = livedMs >= limits.healthyMs ? 1 : history.streak + 1;
  const next = { crashesMs, streak };
  if (crashesMs.length > limits.maxRestarts) return { kind: 'give-up', history: next };
  const backoffMs = Math.min(limits.firstDelayMs * 2 ** (streak - 1), limits.longestDelayMs);
  return { kind: 'restart', delayMs: Math.round(backoffMs * (1 + random) * 0.5), history: next };
}

/**
 * Whether the standby replaces a worker at once: within 60 s, up to half as many times as restarts are allowed. All
 * other restarts are decided by `decideRestart`, which does not count these replacements.
 * @param replacedMs times of such replacements
 * @returns the times with this one added; undefined if the standby must not replace the worker at once
 */
export function replaceAtOnce(
  replacedMs: readonly number[],
  nowMs: number,
  { maxRestarts, windowMs }: Pick<RestartLimits, 'maxRestarts' | 'windowMs'>,
): readonly number[] | undefined {
  const recent = replacedMs.filter((time) => time > nowMs - windowMs);
  return recent.length < Math.ceil(maxRestarts / 2) ? [...recent, nowMs] : undefined;
}
