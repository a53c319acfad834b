import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

export interface WorkerProcess {
  readonly pid: number;
  readonly cpu: number;
}

/** The agent's living workers, by the set-up on their command lines. */
export function workersOf(agentPid: number): WorkerProcess[] {
  return childrenOf(agentPid).flatMap((pid) => {
    const setup = textOf(`/proc/${pid}/cmdline`)
      ?.split('\0')
      .find((argument) => argument.startsWith('{"cpu":'));
    if (setup === undefined) return []; // between fork and exec
    const parsed: unknown = JSON.parse(setup);
    return parsed !== null && typeof parsed === 'object' && 'cpu' in parsed && typeof parsed.cpu === 'number'
      ? [{ pid, cpu: parsed.cpu }]
      : [];
  });
}

function childrenOf(pid: number): number[] {
  const text = textOf(`/proc/${pid}/task/${pid}/children`) ?? '';
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map(Number);
}

/** Whether the process is there and is no zombie. */
export function isAlive(pid: number): boolean {
  const state = statusOf(`/proc/${pid}/status`).get('State');
  return state !== undefined && !state.startsWith('Z');
}

/** The `status` files of all threads of a process, each by field name. */
export function threadStatuses(pid: number): ReadonlyMap<string, string>[] {
  return readdirSync(`/proc/${pid}/task`).map((tid) => statusOf(`/proc/${pid}/task/${tid}/status`));
}

function statusOf(path: string): ReadonlyMap<string, string> {
  const lines = (textOf(path) ?? '').split('\n').map((line) => line.split(':\t'));
  return new Map(lines.map(([name = '', value = '']) => [name, value.trim()]));
}

/** What a process has open, by descriptor number. */
export function descriptorsOf(pid: number): ReadonlyMap<number, string> {
  const dir = `/proc/${pid}/fd`;
  return new Map(readdirSync(dir).map((fd) => [Number(fd), readlinkSync(join(dir, fd))]));
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // it has ended
  }
}
