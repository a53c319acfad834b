import { exitCode } from '../../base/failure.ts';
import { hostAgentWord } from '../../protocol/host-agent.ts';
import { supervisedWord } from '../../serve/state/supervised-word.ts';
import { writeSetsWord } from '../../host/record/rotation/write-sets-word.ts';
import { parseHostOptions } from './options/host-options.ts';
import { countNowWord } from './top/count-now-word.ts';
import { runProgram } from '../options/program.ts';

/** Runs trace-host. */
export function traceHost(given: readonly string[]): Promise<void> {
  return runProgram('trace-host', async () => {
    let args = given;
    if (args[0] === supervisedWord) {
      const { endWithParent } = await import('./serving/supervised.ts');
      endWithParent();
      args = args.slice(1);
    }
    if (args[0] === hostAgentWord) {
      const { runHostAgentCommand } = await import('./host-agent.ts');
      return runHostAgentCommand(args.slice(1));
    }
    if (args[0] === writeSetsWord) {
      const { serveWriting } = await import('../../host/record/rotation/serve-writing.ts');
      return serveWriting();
    }
    if (args[0] === countNowWord) {
      const { serveCounting } = await import('./top/serve-counting.ts');
      return serveCounting();
    }
    const command = parseHostOptions(args);
    if (command.kind === 'say') {
      process.stdout.write(command.text);
      return exitCode.done;
    }
    // loaded on demand: --help must be fast, and must work even if koffi does not
    const { runHost } = await import('./run.ts');
    return runHost(command);
  });
}
