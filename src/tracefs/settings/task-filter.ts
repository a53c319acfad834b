import { existsSync } from 'node:fs';
import type { Applied } from './applied.ts';
import { attempt } from './attempt.ts';
import { SettingsError } from './settings-error.ts';
import type { Tracefs } from '../tracefs.ts';

/**
 * Throws if a task does not exist: the trace would stay empty without explanation, e.g. when the pid is one of the
 * host's.
 */
export function checkPids(pids: readonly number[]): void {
  if (!existsSync('/proc/self')) return;
  const missing = pids.find((pid) => !existsSync(`/proc/${pid}`));
  if (missing === undefined) return;
  throw new SettingsError('bad-value', `there is no task ${missing}; it has to be one of this guest's own`);
}

/**
 * Limits tracing to these tasks. There is a file for events and one for function tracers. Each lists pids, one per
 * line, or contains a message such as `no pid`.
 */
export function setPids(tracefs: Tracefs, applied: Applied, pids: readonly number[], tracer: string): void {
  for (const file of tracer === 'nop' ? ['set_event_pid'] : ['set_event_pid', 'set_ftrace_pid']) {
    const old = tracefs.readIfThere(file);
    // a kernel without function tracers, or an instance on an old kernel
    if (old === undefined) continue;
    const listed = old.split('\n').filter((line) => /^\d+$/.test(line));
    applied.remember('restore', file, () => tracefs.writeList(file, listed));
    attempt('bad-value', `pids (${file})`, () => tracefs.writeList(file, pids.map(String)));
  }
}
