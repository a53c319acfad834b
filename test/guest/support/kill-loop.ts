import type { Guest, GuestProcess } from '../harness/index.ts';

/**
 * Starts a shell loop in the guest that sends SIGKILL to a random one of a process's children, at most `everyMs` apart,
 * at random, `times` times or until the process is gone. Each counts once: a child that is told to die is waited for, and
 * one that died and was not yet waited for by its parent is left alone. Prints how many there were.
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
