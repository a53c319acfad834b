import { release } from 'node:os';
import type { Logger } from 'pino';
import { exitCode, Failure } from '../base/failure.ts';
import { type Identity, lookUpUser } from '../native/process/user.ts';
import type { ControlPort } from './orders/control-port.ts';
import type { AgentOptions } from './options.ts';
import { portNameOf } from './ports/outlets.ts';
import { findPort, PortAway, qemuOptions, usualPortsDir } from './ports/ports.ts';
import { missingDriver, otherPorts } from './ports/why-no-ports.ts';

/** An agent started right behind another's end waits this long for its control port. */
const busyPatienceMs = 10_000;
const busyRetryMs = 200;

const nobody: Identity = { uid: 65_534, gid: 65_534 };

/** The oldest that the agent was tried on; docs/guests.md has the table. */
const oldestTried = [6, 1] as const;

/**
 * Said and not refused: what older kernels lack is known and done without, and a distribution's may have it.
 * @returns undefined for a kernel as new as those that were tried, and for one whose name tells no version
 */
export function oldKernelText(kernel: string): string | undefined {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(kernel) ?? [];
  if (major === undefined || minor === undefined) return undefined;
  const [oldestMajor, oldestMinor] = oldestTried;
  if (Number(major) > oldestMajor || (Number(major) === oldestMajor && Number(minor) >= oldestMinor))
    return undefined;
  return `trace-agent was not tried on kernels before ${oldestTried.join('.')}; see docs/guests.md, Kernels and distributions`;
}

export function warnOfOldKernel(log: Logger, kernel = release()): void {
  const text = oldKernelText(kernel);
  if (text !== undefined) log.warn({ kernel }, text);
}

/** One framed stream is one trace from beginning to end. @throws Failure */
export function checkFramed({ framed, stdout, controlPortGiven }: AgentOptions): void {
  if (!framed) return;
  if (!stdout) throw new Failure(exitCode.usage, '--framed is nothing without -o', 'add -o');
  if (!controlPortGiven) return;
  throw new Failure(
    exitCode.usage,
    '--framed takes no orders from a control port: it is one trace, from the start of the agent to its end',
    'leave out --framed or --control-port',
  );
}

/** Said and not refused: it is what the kernel tree's C agent does, and what its users' scripts take apart by other means. */
export function warnOfMixedPages(cpus: readonly number[], log: Logger): void {
  if (cpus.length < 2) return;
  log.warn(
    { cpus: cpus.length },
    'pages of several CPUs in one stream cannot be told apart afterwards; with --framed they can',
  );
}

/** One missing port is waited for; a guest that has none at all was set up without them. */
export function requireAnyPort(options: AgentOptions, cpus: readonly number[]): void {
  const names = cpus.map((cpu) => portNameOf(options.portName, cpu));
  if (names.some((name) => findPort(options.portsDir, name) !== undefined)) return;
  const [first = options.portName] = names;
  throw noPort(`no trace port (${first} and so on) in ${options.portsDir}`, options.portsDir, {
    rename: '--port-name',
    give: `give the guest one for each CPU: ${qemuOptions(first)}`,
  });
}

/**
 * Whether the host's orders rule. Without a control port the agent has nobody to wait for: then it must have been
 * told to start, or write to stdout, where starting at once is what is meant.
 */
export function hostRules(options: AgentOptions): boolean {
  if (findPort(options.portsDir, options.controlPort) !== undefined) return true;
  if (!options.controlPortGiven && (options.start || options.stdout)) return false;
  throw noPort(`no control port ${options.controlPort} in ${options.portsDir}`, options.portsDir, {
    rename: '--control-port',
    give: `give the guest one: ${qemuOptions(options.controlPort)}; or trace at once with --start`,
  });
}

/** A port is not there: for want of a driver, or under that name, or at all. */
function noPort(
  message: string,
  portsDir: string,
  remedy: { readonly rename: string; readonly give: string },
): Failure {
  // a directory of the user's own tells nothing of the guest's devices
  if (portsDir !== usualPortsDir) return new Failure(exitCode.missing, message, remedy.give);
  const undriven = missingDriver();
  if (undriven !== undefined) return undriven;
  const others = otherPorts(portsDir);
  if (others === undefined) return new Failure(exitCode.missing, message, remedy.give);
  return new Failure(
    exitCode.missing,
    `${message}; there are ${others}`,
    `name the right one with ${remedy.rename}; ${remedy.give}`,
  );
}

/**
 * Opens the control port, waiting a while for whoever has it to end.
 * @param ending settles when the agent is to end: then the port may stay closed
 * @throws Failure
 */
export async function openControlPort(
  port: Pick<ControlPort, 'open'>,
  ending: Promise<unknown>,
  log: Logger,
): Promise<void> {
  const deadlineMs = performance.now() + busyPatienceMs;
  for (let said = false; ; said = true) {
    try {
      port.open();
      return;
    } catch (error) {
      if (!(error instanceof PortAway && error.why === 'busy') || performance.now() >= deadlineMs)
        throw error;
      if (!said) log.warn({ waitMs: busyPatienceMs }, error.message);
    }
    const retry = new Promise((resolve) => setTimeout(resolve, busyRetryMs, 'retry'));
    if ((await Promise.race([retry, ending])) !== 'retry') return;
  }
}

/**
 * Whom workers become; undefined: they stay who we are, which only root can change.
 * @throws Failure when there is no such user
 */
export function workerIdentity(user: string, log: Logger): Identity | undefined {
  if (process.geteuid?.() !== 0) {
    log.debug('not root: workers run as this user');
    return undefined;
  }
  const identity = lookUpUser(user);
  if (identity !== undefined) return identity;
  // A guest that is little more than an initramfs may have no user list at all.
  if (user === 'nobody') return nobody;
  throw new Failure(
    exitCode.usage,
    `--user: there is no user ${user}`,
    'name one that exists; the default is nobody',
  );
}
