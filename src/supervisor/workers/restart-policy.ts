export interface RestartLimits {
  /** Restarts within `windowMs` beyond which a worker is given up. */
  readonly maxRestarts: number;
  readonly windowMs: number;
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
  /** A worker that lived this long starts over with the first delay. */
  readonly healthyMs: number;
}

export const defaultRestartLimits = {
  windowMs: 60_000,
  firstDelayMs: 100,
  longestDelayMs: 10_000,
  healthyMs: 30_000,
} as const;

/** What the policy remembers of a worker: crash times within the window, and crashes without health between. */
export interface CrashHistory {
  readonly crashesMs: readonly number[];
  readonly streak: number;
}

export const noCrashes: CrashHistory = { crashesMs: [], streak: 0 };

export type RestartDecision =
  | { readonly kind: 'restart'; readonly delayMs: number; readonly history: CrashHistory }
  | { readonly kind: 'give-up'; readonly history: CrashHistory };

/**
 * What to do about a crash: exponential back-off with jitter, so that workers felled together do not come back
 * together, and an end to it when a worker crashes again and again.
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
 * Whether a worker is replaced by the standby without a wait: in 60 s half as many times as restarts are allowed. Beyond
 * that, and for whatever is no such replacement, `decideRestart` has the word, and knows nothing of these.
 * @param replacedMs when that was so
 * @returns the same with this time; undefined: it is to wait
 */
export function replaceAtOnce(
  replacedMs: readonly number[],
  nowMs: number,
  { maxRestarts, windowMs }: Pick<RestartLimits, 'maxRestarts' | 'windowMs'>,
): readonly number[] | undefined {
  const recent = replacedMs.filter((time) => time > nowMs - windowMs);
  return recent.length < Math.ceil(maxRestarts / 2) ? [...recent, nowMs] : undefined;
}
