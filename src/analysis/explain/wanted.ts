import { exitCode, Failure } from '../../base/failure.ts';
import { nearNames } from '../../base/near-names.ts';
import { quoted } from '../../base/quoted.ts';
import type { Session } from '../../trace/session.ts';
import { hostTraceOf } from '../vcpu-threads.ts';
import type { MachineReader } from './machine-reader.ts';

/** Throws Failure (usage) if it is not a guest. */
export function checkGuest(session: Session, guest: string): void {
  const { trace } = session.machine(guest);
  if (trace !== hostTraceOf(session)) return;
  const guests = session.machines.filter((each) => each.trace !== trace).map(({ name }) => quoted(name));
  throw new Failure(
    exitCode.usage,
    `${quoted(guest)} is the host, and only waits in guests are explained`,
    guests.length > 0 ? `its guests are ${guests.join(', ')}` : 'name the file of a guest, too',
  );
}

/** Throws Failure (usage) if a task was not seen in the guest, or in any if that is undefined. */
export function checkTask(
  task: string | number,
  guest: string | undefined,
  readers: readonly MachineReader[],
): void {
  const machines = readers
    .map(({ machine }) => machine)
    .filter(({ isHost, name }) => !isHost && (guest === undefined || name === guest));
  const names = new Set<string>();
  for (const machine of machines) {
    // it may be among those that are not told apart
    if (machine.tasksDropped > 0) return;
    for (const { name, tid } of machine.tasks()) {
      if (task === name || task === tid) return;
      names.add(name);
    }
  }
  if (machines.length === 0) return;
  const near = typeof task === 'string' ? nearNames(task, [...names]) : [];
  const where = machines.map(({ name }) => quoted(name)).join(', ');
  const what = typeof task === 'string' ? quoted(task) : `with the id ${task}`;
  throw new Failure(
    exitCode.usage,
    `${where}: no task ${what} was seen`,
    near.length > 0
      ? `did you mean ${near.map(quoted).join(' or ')}?`
      : 'give a name or a thread id that trace-host summary shows',
  );
}
