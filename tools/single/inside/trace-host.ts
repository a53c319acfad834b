/** Entry point of the single-file executable trace-host: the program itself, or a worker of the agent of this host. */
import { traceHost } from '../../../src/cli/host/trace-host.ts';
import { becomeWorker, workerWord } from './worker-command.ts';

// only a worker has an IPC channel; a user who types the same word gets the error for an unknown command
if (process.argv[2] === workerWord && process.send !== undefined) {
  becomeWorker('trace-agent');
  void import('../../../src/worker/main.ts');
} else {
  void traceHost(process.argv.slice(2));
}
