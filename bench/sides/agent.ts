import { finished, type Machine, type Task } from '../machine/machine.ts';
import { noFile, type Side } from './side.ts';

/** An emulated guest on a busy machine takes its time to start Node. */
const slowMs = 120_000;

/** This checkout's trace-agent: the supervisor and a worker for each CPU. */
export const agent: Side = {
  name: 'agent',
  outlet: 'port',
  async start(machine, { pipeBytes }) {
    const task = await startAgent(machine, '--pipe-size', String(pipeBytes), '--start');
    await task.waitFor(/"msg":"started"/, slowMs);
    return {
      tasks: [task],
      fileBytes: noFile,
      stop: () => endAgent(task),
    };
  },
};

/** Starts it on the machine's CPUs and ports and returns when it is ready, its standby too: its start is not measured. */
export async function startAgent(machine: Machine, ...options: string[]): Promise<Task> {
  const { agentCommand, portsDir, instance, cpus } = machine;
  const place = ['--ports-dir', portsDir, '--instance', instance, '--cpus', cpus.join(',')];
  const task = await machine.spawn([...agentCommand, ...place, '--log-format', 'json', ...options]);
  await task.waitFor(/"msg":"ready"/, slowMs);
  if (!options.includes('--no-standby')) await task.waitFor(/"msg":"standby is ready"/, slowMs);
  return task;
}

/** Lets it flush, and wants a clean end. */
export async function endAgent(task: Task): Promise<void> {
  task.kill('SIGTERM');
  await finished(task, slowMs);
}
