import type { Guest, GuestProcess } from '../harness/index.ts';

/**
 * Starts a shell loop in the guest that sends SIGKILL to a random one of a process's children, at most `everyMs` apart,
 * at random, `times` times or until the process is gone. A child that died and was not yet waited for does not count.
 */
export function killLoop(
  guest: Guest,
  parent: number,
  times: number,
  everyMs: number,
): Promise<GuestProcess> {
  return guest.spawn(
    `n=0; while [ $n -lt ${times} ] && [ -d /proc/${parent} ]; do ` +
      `usleep $((RANDOM % ${everyMs} * 1000)); ` +
      `set -- $(cat /proc/${parent}/task/${parent}/children); [ $# -gt 0 ] || continue; ` +
      'shift $((RANDOM % $#)); grep -q "State:.Z" /proc/$1/status && continue; ' +
      'kill -9 $1 && n=$((n+1)); done',
  );
}
