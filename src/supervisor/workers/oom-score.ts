import { readFileSync, writeFileSync } from 'node:fs';

/** How much later than its workers the supervisor is a victim, in thousandths of the memory that is short. */
const advantage = 500;
const leastScore = -999; // -1000: never, which is not ours to claim

/**
 * In want of memory the kernel ends the process with the highest score. A worker that ends costs a restart, its
 * supervisor's end the tracing: so it goes last. Takes CAP_SYS_RESOURCE; without it all stays as it is.
 * @returns the score that workers are given back, undefined when nothing was changed
 */
export function scoreBelowWorkers(): number | undefined {
  try {
    const inherited = Number(readFileSync('/proc/self/oom_score_adj', 'utf8'));
    writeFileSync('/proc/self/oom_score_adj', String(Math.max(leastScore, inherited - advantage)));
    return inherited;
  } catch {
    return undefined;
  }
}

/** Gives a worker, which inherited its supervisor's score, its own. Raising one takes no privilege. */
export function setScore(pid: number, score: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(score));
  } catch {
    // it ended already
  }
}
