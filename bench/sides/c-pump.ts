import { noFile, type Side } from './side.ts';

/** The floor: bench/programs/c-pump.c. What fills less than `buffer_percent` of a ring at its end stays there. */
export const cPump: Side = {
  name: 'c-pump',
  outlet: 'port',
  async start(machine, { pipeBytes }) {
    const program = await machine.program('c-pump');
    const place = [machine.tracefsDir, `${machine.portsDir}/trace-path-cpu%d`, ...machine.cpus.map(String)];
    const task = await machine.spawn([program, '-p', String(pipeBytes), ...place]);
    await task.waitFor(/ready/);
    return {
      tasks: [task],
      fileBytes: noFile,
      stop: async () => {
        task.kill('SIGKILL');
        await task.wait();
      },
    };
  },
};
