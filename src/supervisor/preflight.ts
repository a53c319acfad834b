import { release } from 'node:os';
import type { Logger } from 'pino';
import { exitCode, Failure } from '../base/failure.ts';
import { type Identity, lookUpUser } from '../native/process/user.ts';
import type { ControlPort } from './orders/control-port.ts';
import type { AgentOptions } from './options.ts';
import { portNameOf } from './ports/outlets.ts';
import { findPort, PortAway, qemuOptions, usualPortsDir } from './ports/ports.ts';
import { missingDriver, otherPorts } from './ports/why-no-ports.ts';

/** Maximum time that a starting agent waits for a previous agent to release the control port. */
const busyPatienceMs = 10_000;
const busyRetryMs = 200;

const nobody: Identity = { uid: 65_534, gid: 65_534 };

/** The oldest tested kernel; docs/guests.md has the table. */
const oldestTried = [6, 1] as const;

/**
 * The text of a warning about an old kernel. It is not an error: the agent does without what older kernels lack, and
 * distributions backport features.
 * @returns undefined for a kernel that is not older than the tested ones, and for one whose name contains no version
 */
export function oldKernelText(kernel: string): string | undefined {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(kernel) ?? [];
  if (major === undefined || minor === undefined) return undefined;
  const [oldestMajor, oldestMinor] = oldestTried;
  if (Number(major) > oldestMajor || (Number(major) === oldestMajor && Number(minor) >= oldestMinor))
    return undefined;
  return `trace-agent was not tested on kernels before ${oldestTried.join('.')}; see docs/guests.md, Kernels and distributions`;
}

export function warnOfOldKernel(log: Logger, kernel = release()): void {
  const text = oldKernelText(kernel);
  if (text !== undefined) log.warn({ kernel }, text);
}

/** Checks the options of a framed stream: it is one trace from beginning to end. @throws Failure */
export function checkFramed({ framed, stdout, controlPortGiven }: AgentOptions): void {
  if (!framed) return;
  if (!stdout) throw new Failure(exitCode.usage, '--framed needs -o', 'add -o');
  if (!controlPortGiven) return;
  throw new Failure(
    exitCode.usage,
    '--framed cannot be combined with a control port: the stream is one trace, from the start of the agent to its end',
    'remove --framed or --control-port',
  );
}

/**
 * Warns when the pages of several CPUs are mixed in one stream. It is not an error: the C agent of the kernel tree does
 * the same, and users' scripts separate the pages by other means.
 */
export function warnOfMixedPages(cpus: readonly number[], log: Logger): void {
  if (cpus.length < 2) return;
  log.warn(
    { cpus: cpus.length },
    'pages of several CPUs in one stream cannot be told apart afterwards; with --framed they can',
  );
}

/**
 * Throws if the guest has no trace port at all: a single missing port may still appear, but a guest that has none was
 * set up without trace ports.
 */
export function requireAnyPort(options: AgentOptions, cpus: readonly number[]): void {
  const names = cpus.map((cpu) => portNameOf(options.portName, cpu));
  if (names.some((name) => findPort(options.portsDir, name) !== undefined)) return;
  const [first = options.portName] = names;
  throw noPort(`no trace port (${first} and so on) in ${options.portsDir}`, options.portsDir, {
    rename: '--port-name',
    give: `add one for each CPU to the guest: ${qemuOptions(first)}`,
  });
}

/**
 * Whether the host gives orders. Without a control port nobody would start the trace, so the agent needs --start,
 * or -o, which starts at once.
 */
export function hostRules(options: AgentOptions): boolean {
  if (findPort(options.portsDir, options.controlPort) !== undefined) return true;
  if (!options.controlPortGiven && (options.start || options.stdout)) return false;
  throw noPort(`no control port ${options.controlPort} in ${options.portsDir}`, options.portsDir, {
    rename: '--control-port',
    give: `add one to the guest: ${qemuOptions(options.controlPort)}; or trace at once with --start`,
  });
}

/** The error for a missing port. It says whether a driver is missing or ports of other names exist. */
function noPort(
  message: string,
  portsDir: string,
  remedy: { readonly rename: string; readonly give: string },
): Failure {
  // a directory chosen by the user says nothing about the guest's devices
  if (portsDir !== usualPortsDir) return new Failure(exitCode.missing, message, remedy.give);
  const undriven = missingDriver();
  if (undriven !== undefined) return undriven;
  const others = otherPorts(portsDir);
  if (others === undefined) return new Failure(exitCode.missing, message, remedy.give);
  return new Failure(
    exitCode.missing,
    `${message}; the guest has ${others}`,
    `name the right one with ${remedy.rename}; or ${remedy.give}`,
  );
}

/**
 * Opens the control port; waits a while for another process to release it.
 * @param ending settles when the agent has to end; the wait then stops, and the port may stay closed
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
 * The uid and gid that workers switch to. Undefined if this process is not root: only root can switch, so workers
 * keep its user.
 * @throws Failure when there is no such user
 */
export function workerIdentity(user: string, log: Logger): Identity | undefined {
  if (process.geteuid?.() !== 0) {
    log.debug('not root: workers run as this user');
    return undefined;
  }
  const identity = lookUpUser(user);
  if (identity !== undefined) return identity;
  // A minimal guest, such as an initramfs, may have no /etc/passwd.
  if (user === 'nobody') return nobody;
  throw new Failure(
    exitCode.usage,
    `--user: no such user: ${user}`,
    'give an existing user; the default is nobody',
  );
}
