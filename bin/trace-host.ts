#!/usr/bin/env node
import { parseHostOptions } from '../src/cli/host-options.ts';
import { Failure } from '../src/failure.ts';

try {
  const command = parseHostOptions(process.argv.slice(2));
  if (command.kind === 'say') {
    process.stdout.write(command.text);
  } else {
    // only now: --help must be quick, and work where koffi does not
    const { runHost } = await import('../src/cli/host-run.ts');
    process.exitCode = await runHost(command);
  }
} catch (cause) {
  if (!(cause instanceof Failure)) throw cause;
  const remedy = cause.remedy === '' ? '' : ` — ${cause.remedy}`;
  process.stderr.write(`trace-host: ${cause.message}${remedy}\n`);
  process.exitCode = cause.exitCode;
}
