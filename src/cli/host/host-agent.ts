import { type ExitCode, exitCode, Failure } from '../../base/failure.ts';
import { type FromHostAgent, hostAgentPlaces } from '../../protocol/host-agent.ts';
import { parseAgentOptions } from '../agent/agent-options.ts';

/** Runs the agent of this host, for `record`, which starts it and waits for its messages. @throws Failure */
export async function runHostAgentCommand([word, ...args]: readonly string[]): Promise<ExitCode> {
  const place = hostAgentPlaces.find((known) => known === word);
  const command = parseAgentOptions(args);
  if (place === undefined || command.kind !== 'run' || process.send === undefined)
    throw new Failure(exitCode.usage, 'host-agent is for trace-host itself', 'use trace-host record');
  try {
    const { runHostAgent } = await import('../../supervisor/host-agent.ts');
    return await runHostAgent(command.options, place);
  } catch (cause) {
    if (!(cause instanceof Failure) || !process.connected) throw cause;
    const { message, remedy } = cause;
    const told: FromHostAgent = { kind: 'failed', exitCode: cause.exitCode, message, remedy };
    await new Promise((resolve) => process.send?.(told, undefined, undefined, resolve));
    return cause.exitCode;
  } finally {
    // the channel would keep this process alive
    if (process.connected) process.disconnect();
  }
}
