/** What the executable trace-agent begins with: the program, or a worker of one that runs. */
import { traceAgent } from '../../../src/cli/agent/trace-agent.ts';
import { becomeWorker, workerWord } from './worker-command.ts';

// The channel tells a worker from a user who writes the same word, and is told that it is no option.
if (process.argv[2] === workerWord && process.send !== undefined) {
  becomeWorker('trace-agent');
  void import('../../../src/worker/main.ts');
} else {
  void traceAgent(process.argv.slice(2));
}
