import { Scene } from '../../../../src/analysis/explain/scene/scene.ts';
import type { MachineState } from '../../../../src/analysis/explain/scene/state.ts';
import type { Pause } from '../../../../src/analysis/explain/scene/vcpus.ts';
import type { FoundWait, WaitChoice } from '../../../../src/analysis/explain/scene/waits.ts';

/** What an event says. */
export type Said =
  | readonly ['switch', prev: number, state: 'R' | 'S', next: number]
  | readonly ['waking' | 'wakeup', tid: number, cpu: number, due?: number]
  | readonly ['migrate', tid: number, cpu: number]
  | readonly ['irq' | 'softirq', number: number]
  | readonly ['irq-end' | 'softirq-end', number: number]
  | readonly ['kvm-exit', reason: number]
  | readonly ['kvm-entry']
  | readonly ['other'];

/** An event: when, on which CPU (`host 0`, `web 1`), the current task, and what it says; `lost`: events before it were lost. */
export type Happened = readonly [ns: number, cpu: string, tid: number, said: Said, lost?: 'lost'];

/** Host threads of the vCPUs of each guest. */
export type Guests = Readonly<Record<string, readonly number[]>>;

export const all: WaitChoice = {
  worst: 1000,
  overNs: 0,
  from: -Infinity,
  to: Infinity,
  isWanted: () => true,
};

/** Plays events, in the order of their times. Tasks are called `task-N`, or by `nameOf`. */
export function played(
  guests: Guests,
  events: readonly Happened[],
  {
    pauses = [],
    choice = all,
    hasHost = true,
    nameOf = (tid) => `task-${tid}`,
  }: {
    pauses?: Pause[];
    choice?: WaitChoice;
    hasHost?: boolean;
    nameOf?: (tid: number) => string;
  } = {},
): Scene {
  const scene = new Scene(choice, pauses);
  const host = hasHost ? scene.host() : undefined;
  const machines = new Map<string, MachineState>();
  if (host !== undefined) machines.set('host', host);
  for (const [name, tids] of Object.entries(guests))
    machines.set(name, scene.guest(name, host, new Map(tids.map((tid, vcpu) => [vcpu, tid]))));
  const cpuOf = (cpu: string) => {
    const [name = '', number] = cpu.split(' ');
    return machines.get(name)!.cpu(Number(number));
  };
  let last: Happened | undefined;
  for (const [index, event] of events.entries()) {
    if (last !== undefined) ahead(last[1], events.slice(index));
    last = event;
    const [ns, on, tid, said] = event;
    const cpu = cpuOf(on);
    const { machine } = cpu;
    const task = (each: number) => {
      const found = machine.task(each);
      if (each > 0) found.name = nameOf(each);
      return found;
    };
    task(tid);
    scene.begin(cpu, ns, tid);
    switch (said[0]) {
      case 'switch':
        task(said[1]);
        task(said[3]);
        scene.switched(cpu, said[1], said[2] === 'R', said[3]);
        break;
      case 'waking':
      case 'wakeup':
        scene.woken(task(said[1]), said[2], cpu, said[3] ?? Number.NaN, said[0] === 'waking');
        break;
      case 'migrate':
        scene.migrated(task(said[1]), said[2]);
        break;
      case 'irq':
      case 'softirq':
        scene.interruptBegins(
          cpu,
          scene.entities.add(machine.name, { number: said[1] }),
          said[1],
          said[0] === 'irq',
        );
        break;
      case 'irq-end':
      case 'softirq-end':
        scene.interruptEnds(cpu, said[1], said[0] === 'irq-end');
        break;
      case 'kvm-exit':
        scene.exited(cpu, scene.entities.add('host', { number: said[1] }));
        break;
      case 'kvm-entry':
        scene.exited(cpu, undefined);
        break;
      case 'other':
        break;
      default:
        said satisfies never;
    }
  }
  scene.end();
  return scene;

  function ahead(on: string, rest: readonly Happened[]): void {
    const next = rest.find(([, cpu]) => cpu === on);
    if (next === undefined) return;
    const [ns, , tid, said, lost] = next;
    scene.ahead(cpuOf(on), ns, tid, lost === 'lost', said[0] === 'other');
  }
}

/** A wait in short: `wakeup task-7 400: preempted host task-9 cpu1 300, asleep 100`. */
export function short({ kind, task, lengthNs, isDue, isOver, causes }: FoundWait): string {
  const parts = causes.map((cause) => {
    const who = cause.task ?? (cause.number === null ? '' : `#${cause.number}`);
    const of = who === '' ? '' : ` ${cause.machine} ${who}`;
    const cpu = cause.cpu === null ? '' : ` cpu${cause.cpu}`;
    return `${cause.kind}${of}${cpu} ${cause.ns}${cause.inferred ? ' inferred' : ''}`;
  });
  return `${kind} ${task} ${lengthNs}${isDue ? ' due' : ''}${isOver ? '' : ' open'}: ${parts.join(', ')}`;
}

/** The waits of a task, in the order of their ends. */
export function waitsOf(scene: Scene, tid: number): string[] {
  return scene.waits
    .worst()
    .filter((wait) => wait.tid === tid)
    .sort((a, b) => a.end - b.end)
    .map(short);
}
