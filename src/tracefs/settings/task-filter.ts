import { existsSync } from 'node:fs';
import type { Applied } from './applied.ts';
import { attempt } from './attempt.ts';
import { SettingsError } from './settings-error.ts';
import type { Tracefs } from '../tracefs.ts';

/** A trace of a task that is not there stays empty, and whoever gave a number of another machine would not know why. */
export function checkPids(pids: readonly number[]): void {
  if (!existsSync('/proc/self')) return;
  const missing = pids.find((pid) => !existsSync(`/proc/${pid}`));
  if (missing === undefined) return;
  throw new SettingsError('bad-value', `there is no task ${missing}; it has to be one of this guest's own`);
}

/** Events go by one file, function tracers by the other. Each is a list of pids, one a line, or a text such as `no pid`. */
export function setPids(tracefs: Tracefs, applied: Applied, pids: readonly number[], tracer: string): void {
  for (const file of tracer === 'nop' ? ['set_event_pid'] : ['set_event_pid', 'set_ftrace_pid']) {
    const old = tracefs.readIfThere(file);
    // a kernel without function tracers, and an instance of an old one
    if (old === undefined) continue;
    const listed = old.split('\n').filter((line) => /^\d+$/.test(line));
    applied.remember('restore', file, () => tracefs.writeList(file, listed));
    attempt('bad-value', `pids (${file})`, () => tracefs.writeList(file, pids.map(String)));
  }
}
