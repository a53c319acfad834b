import { join } from 'node:path';
import { repoRoot } from '../../test/repo-root.ts';
import { finished } from '../machine/machine.ts';
import type { Side } from './side.ts';
import { someEvent } from './trace-cmd.ts';

const slowMs = 120_000;

/**
 * `trace-host record --host` of the benchmark's instance: this host's agent, its workers, and the recorder, which writes
 * a file for each CPU.
 */
export const recordHost: Side = {
  name: 'record --host',
  outlet: 'file',
  resetsCounts: true,
  async start(machine) {
    const dir = join(machine.portsDir, 'record');
    await machine.shell(`rm -rf ${dir}; mkdir ${dir}`);
    const out = join(dir, 'trace.dat');
    const command = [process.execPath, join(repoRoot, 'dist/bin/trace-host.js')];
    const what = ['-B', machine.instance, '-e', someEvent];
    const task = await machine.spawn([...command, 'record', '--host', ...what, '-o', out]);
    await task.waitFor(/recording;/, slowMs);
    return {
      tasks: [task],
      fileBytes: async () => Number(await machine.shell(`cat ${out}.recording/cpu*.raw | wc -c`)),
      stop: async () => {
        task.kill('SIGINT');
        await finished(task, slowMs);
        await machine.shell(`rm -r ${dir}`);
      },
    };
  },
};
