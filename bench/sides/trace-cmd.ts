import type { Side } from './side.ts';

/** An event that is hardly ever seen: trace-cmd wants one, and what is measured are markers. */
const someEvent = 'oom:mark_victim';
const dir = '/tmp/trace-cmd-bench';
const slowMs = 60_000;

/** `trace-cmd record` to tmpfs, with a recorder for each CPU: what one has who can fetch the file later. */
export const traceCmd: Side = {
  name: 'trace-cmd',
  outlet: 'file',
  async start(machine) {
    const command = await machine.traceCmd();
    if (command === undefined) throw new Error('there is no trace-cmd');
    await machine.shell(`rm -rf ${dir}; mkdir ${dir}`);
    // -k: or it removes the instance at its end, statistics and all.
    const record = ['record', '-k', '-B', machine.instance, '-e', someEvent, '-o', `${dir}/trace.dat`];
    const task = await machine.spawn([...command, ...record]);
    // What it says stays in its buffer until its end; its recorders are its children.
    // -k: or it removes the instance at its end, statistics and all.
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
