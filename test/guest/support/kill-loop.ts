import type { Guest, GuestProcess } from '../harness/index.ts';

/**
 * Starts a shell loop in the guest that sends SIGKILL to a random child of a process, at random intervals of at
 * most `everyMs`, `times` times or until the process has ended. Each child counts once: the loop waits until a
 * killed child has died, and skips zombies. Prints the number of kills.
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
      'shift $((RANDOM % $#)); grep -q "State:.[^Z]" /proc/$1/status || continue; ' +
      'kill -9 $1 && n=$((n+1)); while grep -q "State:.[^Z]" /proc/$1/status; do usleep 1000; done; done; echo $n',
  );
}
