import type { ExitCode } from '../../../base/failure.ts';
import { runDaemon } from '../../../serve/daemon.ts';
import type { ServeCommand } from '../options/serving/serve-options.ts';
import { selfCommand } from '../self-command.ts';

/** Serves the page and the API until a signal. Throws Failure. */
export function runServe(options: ServeCommand): Promise<ExitCode> {
  const logFormat = process.stderr.isTTY ? 'pretty' : 'json';
  return runDaemon({ ...options, logFormat, command: selfCommand() });
}
