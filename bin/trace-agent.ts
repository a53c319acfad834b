#!/usr/bin/env node
import { parseAgentOptions } from '../src/cli/agent-options.ts';
import { Failure } from '../src/failure.ts';

try {
  const command = parseAgentOptions(process.argv.slice(2));
  if (command.kind === 'say') {
    process.stdout.write(command.text);
  } else {
    // only now: --help must be quick, and work where koffi does not
    const { runAgent } = await import('../src/supervisor/agent.ts');
    process.exitCode = await runAgent(command.options);
  }
} catch (cause) {
  if (!(cause instanceof Failure)) throw cause;
  const remedy = cause.remedy === '' ? '' : ` — ${cause.remedy}`;
  process.stderr.write(`trace-agent: ${cause.message}${remedy}\n`);
  process.exitCode = cause.exitCode;
}
