import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../../../src/base/error-code.ts';

export interface WorkerProcess {
  readonly pid: number;
  readonly cpu: number;
}

/** The agent's living workers that serve a CPU, by their command lines. */
export function workersOf(agentPid: number): WorkerProcess[] {
  return childrenOf(agentPid).flatMap((pid) => {
    const [, cpu] = /^trace-agent worker \(CPU (\d+)\)/.exec(textOf(`/proc/${pid}/cmdline`) ?? '') ?? [];
    return cpu === undefined ? [] : [{ pid, cpu: Number(cpu) }];
  });
}

/** The standby of an agent, once it has loaded its scripts. */
export function standbyOf(agentPid: number): number | undefined {
  return childCalled(agentPid, 'trace-agent worker (standby)');
}

/** The process that writes the files of a recording with --rotate, once it has loaded its scripts. */
export function setWriterOf(recordPid: number): number | undefined {
  return childCalled(recordPid, 'trace-host: writes the files');
}

function childCalled(parent: number, name: string): number | undefined {
  return childrenOf(parent).find((pid) => textOf(`/proc/${pid}/cmdline`)?.startsWith(name));
}

/** All children of a process, in whatever state. */
export function childrenOf(pid: number): number[] {
  const text = textOf(`/proc/${pid}/task/${pid}/children`) ?? '';
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map(Number);
}

/** Whether the process exists and is not a zombie. */
export function isAlive(pid: number): boolean {
  const state = statusOf(`/proc/${pid}/status`).get('State');
  return state !== undefined && !state.startsWith('Z');
}

/** Sends a signal to a process that may have ended already. */
export function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}

/** The `status` files of all threads of a process, each by field name. */
export function threadStatuses(pid: number): ReadonlyMap<string, string>[] {
  return readdirSync(`/proc/${pid}/task`).map((tid) => statusOf(`/proc/${pid}/task/${tid}/status`));
}

function statusOf(path: string): ReadonlyMap<string, string> {
  const lines = (textOf(path) ?? '').split('\n').map((line) => line.split(':\t'));
  return new Map(lines.map(([name = '', value = '']) => [name, value.trim()]));
}

/** Targets of a process's open descriptors, by number. */
export function descriptorsOf(pid: number): ReadonlyMap<number, string> {
  const dir = `/proc/${pid}/fd`;
  return new Map(
    readdirSync(dir).flatMap((fd): [number, string][] => {
      try {
        return [[Number(fd), readlinkSync(join(dir, fd))]];
      } catch {
        return []; // it was only open for a moment
      }
    }),
  );
}

/** Flags of a descriptor, of open(2). */
export function flagsOf(pid: number, fd: number): number {
  const [, flags = ''] = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8')) ?? [];
  return Number.parseInt(flags, 8);
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // it has ended
  }
}
