import { exitCode } from '../../base/failure.ts';
import { parseAgentOptions } from './agent-options.ts';
import { runProgram } from '../options/program.ts';

/** Runs trace-agent. */
export function traceAgent(args: readonly string[]): Promise<void> {
  return runProgram('trace-agent', async () => {
    const command = parseAgentOptions(args);
    if (command.kind === 'say') {
      process.stdout.write(command.text);
      return exitCode.done;
    }
    if (command.kind === 'doctor') {
      const { runAgentDoctor } = await import('./doctor.ts');
      return runAgentDoctor(command.options, command.json);
    }
    // loaded on demand: --help must be fast, and must work even if koffi does not
    const { runAgent } = await import('../../supervisor/agent.ts');
    return runAgent(command.options);
  });
}
