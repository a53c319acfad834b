import { noFile, type Side, type SideName } from './side.ts';

/** bench/programs/c-pump.c. At its end, data below `buffer_percent` of a ring stays there. */
function cPumpOf(name: SideName, nice: number, outlet: Side['outlet'] = 'port'): Side {
  return {
    name,
    outlet,
    async start(machine, { pipeBytes }) {
      const program = await machine.program('c-pump');
      const outletOf = (cpu: number | string): string =>
        `${machine.portsDir}/${outlet === 'port' ? 'trace-path-cpu' : 'raw'}${cpu}`;
      const files = outlet === 'port' ? [] : machine.cpus.map(outletOf);
      if (files.length > 0) await machine.shell(`rm -f ${files.join(' ')}; touch ${files.join(' ')}`);
      const place = [machine.tracefsDir, outletOf('%d'), ...machine.cpus.map(String)];
      const task = await machine.spawn([program, '-p', String(pipeBytes), '-n', String(nice), ...place]);
      await task.waitFor(/ready/);
      return {
        tasks: [task],
        fileBytes:
          files.length === 0
            ? noFile
            : async () => Number(await machine.shell(`cat ${files.join(' ')} | wc -c`)),
        stop: async () => {
          task.kill('SIGKILL');
          await task.wait();
          if (files.length > 0) await machine.shell(`rm ${files.join(' ')}`);
        },
      };
    },
  };
}

/** The floor. */
export const cPump = cPumpOf('c-pump', 0);

/** The floor with the agent's priority, at which it takes CPU time from the traced programs. */
export const cPumpFirst = cPumpOf('c-pump nice -10', -10);

/** The floor of a host's recording: into files, one for each CPU; and with the priority of the host's workers. */
export const cPumpToFiles = cPumpOf('c-pump to files', 0, 'file');
export const cPumpToFilesFirst = cPumpOf('c-pump to files, nice -10', -10, 'file');
