import { setNonBlocking } from '../native/io/files.ts';
import { nameProcess } from '../native/process/process.ts';
import type { ExitCode } from '../base/failure.ts';
import { nameOfProcess, removeStaleInstances } from '../tracefs/instance.ts';
import { locateTracefs } from '../tracefs/locate.ts';
import { runAgent } from './agent.ts';
import type { AgentOptions } from './options.ts';
import { inheritedOutlets } from './ports/outlets.ts';
import { PortAway } from './ports/ports.ts';
import {
  firstOutletFd,
  type FromHostAgent,
  hostAgentControlFd,
  type HostAgentPlace,
  hostInstancePrefix,
} from '../protocol/host-agent.ts';

/**
 * Runs the agent of a host, as a child of `trace-host record`: with an instance of its own, files of the recording or
 * pipes that the parent reads, and a socket to the parent (protocol/host-agent.ts). The agent ends when its parent ends. An instance left
 * behind by a killed agent is removed first.
 * @throws Failure
 */
export async function runHostAgent(options: AgentOptions, place: HostAgentPlace): Promise<ExitCode> {
  const gone = new AbortController();
  process.on('disconnect', () => gone.abort());
  // the parent may have ended while this program was loading
  if (!process.connected) gone.abort();
  nameProcess('trace-host', 'trace-host: agent of this host');
  const root = locateTracefs(options.tracefs);
  await removeStaleInstances(root, hostInstancePrefix);
  const { cpus = [] } = options;
  return runAgent(
    { ...options, instance: place === 'own' ? nameOfProcess(hostInstancePrefix) : undefined },
    {
      openControl: openOnce(),
      outlets: inheritedOutlets(new Map(cpus.map((cpu, index) => [cpu, firstOutletFd + index]))),
      ready: () => tell({ kind: 'ready' }),
      outletFailed: (cpu, code) => tell({ kind: 'outlet-failed', cpu, code }),
      gone: gone.signal,
    },
  );
}

function tell(message: FromHostAgent): void {
  // nobody listens once the parent has ended
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

/** Opens the control port once: unlike a port, the socket cannot be opened a second time. */
function openOnce(): () => number {
  let opened = false;
  return () => {
    if (opened) throw new PortAway('unplugged', 'trace-host has closed the control port', 'start it again');
    opened = true;
    setNonBlocking(hostAgentControlFd);
    return hostAgentControlFd;
  };
}
