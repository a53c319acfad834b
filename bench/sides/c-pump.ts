import { noFile, type Side, type SideName } from './side.ts';

/** bench/programs/c-pump.c. At its end, data below `buffer_percent` of a ring stays there. */
function cPumpOf(name: SideName, nice: number): Side {
  return {
    name,
    outlet: 'port',
    async start(machine, { pipeBytes }) {
      const program = await machine.program('c-pump');
      const place = [machine.tracefsDir, `${machine.portsDir}/trace-path-cpu%d`, ...machine.cpus.map(String)];
      const task = await machine.spawn([program, '-p', String(pipeBytes), '-n', String(nice), ...place]);
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
}

/** The floor. */
export const cPump = cPumpOf('c-pump', 0);

/** The floor with the agent's priority, at which it takes CPU time from the traced programs. */
export const cPumpFirst = cPumpOf('c-pump nice -10', -10);
