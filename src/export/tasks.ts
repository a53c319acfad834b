import { taskNamesOf } from '../trace/metadata/task-lines.ts';
import type { TraceSource } from '../trace/source/source.ts';

/** A thread of the guest, as known at the end of the trace. */
export interface Task {
  readonly tid: number;
  readonly name: string;
  /** The thread's process; undefined if the guest did not save it. */
  readonly tgid: number | undefined;
  readonly ppid: number | undefined;
}

/** All tasks that have a name, by tid: from `saved_cmdlines`, `saved_tgids`, and the guest's process list. */
export function tasksOf({
  taskNames,
  taskGroups,
  processes,
}: Pick<TraceSource, 'taskNames' | 'taskGroups' | 'processes'>): Task[] {
  const listed = new Map<number, Task>();
  for (const line of processes.split('\n')) {
    const [, tid, name = '', tgid, ppid] = /^(\d{1,7}) (.{1,64}) (\d{1,7}) (\d{1,7}) *$/.exec(line) ?? [];
    if (tid === undefined) continue;
    const task = { name: Buffer.from(name, 'latin1').toString(), tgid: Number(tgid), ppid: Number(ppid) };
    listed.set(Number(tid), { tid: Number(tid), ...task });
  }
  const groups = groupsOf(taskGroups);
  const names = taskNamesOf(taskNames);
  return [...new Set([...names.keys(), ...listed.keys()])]
    .sort((a, b) => a - b)
    .map((tid) => ({
      tid,
      name: names.get(tid) ?? listed.get(tid)?.name ?? '',
      tgid: groups.get(tid) ?? listed.get(tid)?.tgid,
      ppid: listed.get(tid)?.ppid,
    }));
}

/** Parses `saved_tgids`: processes by thread. */
function groupsOf(text: string): Map<number, number> {
  const groups = new Map<number, number>();
  for (const line of text.split('\n')) {
    const [, tid, tgid] = /^ *(\d{1,7}) (\d{1,7})$/.exec(line) ?? [];
    // 0: recorded without option record-tgid
    if (tid !== undefined && Number(tgid) > 0) groups.set(Number(tid), Number(tgid));
  }
  return groups;
}
