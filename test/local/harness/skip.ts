import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { tracefsSkip } from '../tracefs-support.ts';

const tools = ['cat', 'flock', 'mkfifo', 'script', 'setpriv', 'socat', 'unshare'];

/** The reason why the agent cannot be tested on this machine; false when it can. With CI=true it must be testable. */
export function agentSkip(): string | false {
  const noTracefs = tracefsSkip();
  if (noTracefs !== false) return noTracefs;
  const missing = tools.filter((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0);
  const reason =
    missing.length > 0
      ? `missing commands: ${missing.join(', ')}`
      : availableParallelism() < 2
        ? 'it takes two CPUs'
        : false;
  if (reason !== false && process.env['CI'] === 'true') throw new Error(reason);
  return reason;
}

/** The reason why a test that needs this command cannot run; false when it can. With CI=true it must. */
export function toolSkip(command: string): string | false {
  const found = spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;
  if (!found && process.env['CI'] === 'true') throw new Error(`${command} is missing`);
  return found ? false : `${command} is missing`;
}
