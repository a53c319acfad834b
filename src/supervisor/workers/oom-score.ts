import { readFileSync, writeFileSync } from 'node:fs';

/** Difference between the workers' OOM score and the supervisor's lower one, in thousandths of the memory. */
const advantage = 500;
const leastScore = -999; // -1000 would exempt the supervisor entirely

/**
 * When memory runs out, the kernel kills the process with the highest score. Losing a worker costs a restart, but
 * losing the supervisor ends the trace, so the supervisor's score is lowered. Needs CAP_SYS_RESOURCE; without it
 * nothing changes.
 * @returns the score to restore in workers; undefined when nothing was changed
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

/** Sets the score of a worker, which inherited the supervisor's. Raising a score needs no privilege. */
export function setScore(pid: number, score: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(score));
  } catch {
    // it has already ended
  }
}
