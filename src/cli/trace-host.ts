import { exitCode } from '../failure.ts';
import { parseHostOptions } from './host-options.ts';
import { runProgram } from './program.ts';

/** trace-host, from its arguments to its end. */
export function traceHost(args: readonly string[]): Promise<void> {
  return runProgram('trace-host', async () => {
    const command = parseHostOptions(args);
    if (command.kind === 'say') {
      process.stdout.write(command.text);
      return exitCode.done;
    }
    // only now: --help must be quick, and work where koffi does not
    const { runHost } = await import('./host-run.ts');
    return runHost(command);
  });
}
