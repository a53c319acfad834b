import { noFile, type Side } from './side.ts';

/** What one does by hand: `cat trace_pipe_raw > PORT` for each CPU. */
export const cat: Side = {
  name: 'cat',
  outlet: 'port',
  async start(machine) {
    const tasks = await Promise.all(
      machine.cpus.map((cpu) => {
        const ring = `${machine.tracefsDir}/per_cpu/cpu${cpu}/trace_pipe_raw`;
        const port = `${machine.portsDir}/trace-path-cpu${cpu}`;
        return machine.spawn(['/bin/sh', '-c', 'echo ready; exec cat "$0" > "$1"', ring, port]);
      }),
    );
    for (const task of tasks) await task.waitFor(/ready/);
    return {
      tasks,
      fileBytes: noFile,
      stop: async () => {
        for (const task of tasks) task.kill('SIGKILL');
        for (const task of tasks) await task.wait();
      },
    };
  },
};
