/** Entry point of the single-file executable trace-agent: the program itself, or one of its workers. */
import { traceAgent } from '../../../src/cli/agent/trace-agent.ts';
import { becomeWorker, workerWord } from './worker-command.ts';

// only a worker has an IPC channel; a user who types the same word gets the error for an unknown option
if (process.argv[2] === workerWord && process.send !== undefined) {
  becomeWorker('trace-agent');
  void import('../../../src/worker/main.ts');
} else {
  void traceAgent(process.argv.slice(2));
}
