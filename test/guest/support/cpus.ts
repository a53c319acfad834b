import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Guest } from '../harness/index.ts';
import type { GuestAgent } from './agent.ts';

/** A longer wait counts as a hang. */
const patienceMs = 120_000;

/** Takes a CPU of the guest offline or back online. */
export async function setOnline(guest: Guest, cpu: number, value: 0 | 1): Promise<void> {
  await guest.check(`echo ${value} > /sys/devices/system/cpu/cpu${cpu}/online`);
}

/** Waits until `reached` is true; at the timeout, throws with the text of `what`. */
export async function until(reached: () => Promise<boolean>, what: () => Promise<string>): Promise<void> {
  const deadlineMs = performance.now() + patienceMs;
  while (!(await reached())) {
    if (performance.now() > deadlineMs) assert.fail(await what());
    await sleep(200);
  }
}

/** Waits until all threads of a process may run only on that CPU (with `tied` false: also on others). */
export async function untilTied(guest: Guest, pid: number, cpu: number, tied = true): Promise<void> {
  const isTied = async (): Promise<boolean> => (await affinity(guest, pid)).join() === String(cpu);
  await until(
    async () => (await isTied()) === tied,
    async () => `process ${pid}, CPU ${cpu}: ${(await affinity(guest, pid)).join('; ')}`,
  );
}

/** Which CPUs the threads of a process may run on, each list once. */
async function affinity(guest: Guest, pid: number): Promise<string[]> {
  const lists = await guest.check(`grep -h Cpus_allowed_list: /proc/${pid}/task/*/status`);
  return [...new Set([...lists.matchAll(/:\s*(\S+)/g)].map(([, list = '']) => list))];
}

/** Pid of a CPU's current worker. */
export async function workerOf(agent: GuestAgent, cpu: number): Promise<number> {
  const pid = (await agent.workers()).get(cpu);
  assert.ok(pid !== undefined, agent.log);
  return pid;
}
