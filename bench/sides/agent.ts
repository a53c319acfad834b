import { finished, type Machine, type Task } from '../machine/machine.ts';
import { noFile, type Side } from './side.ts';

/** An emulated guest on a busy machine starts Node slowly. */
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

/** Starts the agent on the machine's CPUs and ports; resolves when it and its standby are ready. */
export async function startAgent(machine: Machine, ...options: string[]): Promise<Task> {
  const { agentCommand, portsDir, instance, cpus } = machine;
  const place = ['--ports-dir', portsDir, '--instance', instance, '--cpus', cpus.join(',')];
  const task = await machine.spawn([...agentCommand, ...place, '--log-format', 'json', ...options]);
  await task.waitFor(/"msg":"ready"/, slowMs);
  if (!options.includes('--no-standby')) await task.waitFor(/"msg":"standby is ready"/, slowMs);
  return task;
}

/** Ends the agent with a flush. Throws unless it exits with 0. */
export async function endAgent(task: Task): Promise<void> {
  task.kill('SIGTERM');
  await finished(task, slowMs);
}
