import type { Side } from './side.ts';

/** An event that hardly ever occurs: a recording requires one, but markers are measured. */
export const someEvent = 'oom:mark_victim';
const dir = '/tmp/trace-cmd-bench';
const slowMs = 60_000;

/** `trace-cmd record` to tmpfs, with a recorder per CPU: an alternative if the file can be fetched later. */
export const traceCmd: Side = {
  name: 'trace-cmd',
  outlet: 'file',
  async start(machine) {
    const command = await machine.traceCmd();
    if (command === undefined) throw new Error('trace-cmd is not installed');
    await machine.shell(`rm -rf ${dir}; mkdir ${dir}`);
    // -k: otherwise it removes the instance and its counters at the end
    const record = ['record', '-k', '-B', machine.instance, '-e', someEvent, '-o', `${dir}/trace.dat`];
    const task = await machine.spawn([...command, ...record]);
    // its output is buffered until its end, so wait until its recorders, which are its children, run
    // -k: otherwise it removes the instance and its counters at the end
    const recorders = `wc -w 2>/dev/null < /proc/${task.pid}/task/${task.pid}/children`;
    const fewer = `n=$(${recorders}) && [ "$n" -lt ${machine.cpus.length} ]`;
    const all = `while ${fewer}; do sleep 0.1; done; sleep 1; test -e /proc/${task.pid}`;
    await machine.shell(all).catch((cause: unknown) => {
      throw new Error(task.stderr.trim(), { cause });
    });
    return {
      tasks: [task],
      fileBytes: async () => Number(await machine.shell(`cat ${dir}/trace.dat.*cpu* 2>/dev/null | wc -c`)),
      stop: async () => {
        task.kill('SIGINT');
        await task.wait(slowMs);
        await machine.shell(`rm -rf ${dir}`);
      },
    };
  },
};
