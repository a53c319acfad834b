import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { Chain, type Link, Undetermined } from '../base/diagnosis.ts';
import { exitCode, Failure } from '../base/failure.ts';
import { printable } from '../base/quoted.ts';
import { locateTracefs } from '../tracefs/locate.ts';
import { Tracefs } from '../tracefs/tracefs.ts';
import { parseBufferSize } from '../tracefs/ring-files.ts';
import { tracingFacts, whyNoTracefs } from '../tracefs/why-no-tracefs.ts';
import { cpusToTrace } from './cpus.ts';
import type { AgentOptions } from './options.ts';
import { portNameOf } from './ports/outlets.ts';
import { findPort, type PortHolder, portHolders, qemuOptions, usualPortsDir } from './ports/ports.ts';
import { hostRules, oldKernelText, requireAnyPort } from './preflight.ts';
import { missingDriver } from './ports/why-no-ports.ts';

/**
 * Checks every link from the kernel's rings to the ports, for an agent with these options. Changes nothing and opens
 * no port and no ring, so that a running agent is not disturbed.
 */
export async function examineAgent(options: AgentOptions): Promise<readonly Link[]> {
  const chain = new Chain();
  let tracefs: Tracefs | undefined;
  let cpus: readonly number[] = [];
  await chain.look('kernel', [], kernelLink);
  await chain.look('user', [], userLink);
  await chain.look('lockdown', [], lockdownLink);
  await chain.look('tracefs', ['lockdown'], () => {
    const root = locateTracefs(options.tracefs);
    tracefs = new Tracefs(root, ownInstance(root, options.instance));
    cpus = cpusToTrace(options.cpus, new Tracefs(root));
    return printable(root);
  });
  await chain.look('rings', ['tracefs'], () => ringsLink(tracefs, cpus));
  await chain.look('clock', ['tracefs'], () => clockLink(tracefs));
  if (options.stdout) return chain.links;
  await chain.look('driver', [], () => driverLink(options));
  await chain.look('ports', ['driver', 'tracefs'], () => portsLink(options, cpus));
  await chain.look('control', ['driver'], () => controlLink(options));
  // an agent that cannot run is not reported as missing
  await chain.look('agent', ['control', 'tracefs'], () => agentLink(options));
  await chain.look('busy', ['ports'], () => busyLink(options, cpus));
  return chain.links;
}

/** The instance to check; undefined for the top level, also if the agent would first have to create the instance. */
function ownInstance(root: string, instance: string | undefined): string | undefined {
  return instance !== undefined && existsSync(join(root, 'instances', instance)) ? instance : undefined;
}

function kernelLink(): string {
  const kernel = release();
  const old = oldKernelText(kernel);
  if (old !== undefined) throw new Undetermined(`${kernel}: ${old}`);
  return kernel;
}

function userLink(): string {
  if (process.geteuid?.() === 0) return 'root';
  throw new Failure(
    exitCode.notPermitted,
    'not root: rings and ports can be opened by root only',
    'run as root',
  );
}

function lockdownLink(): string {
  const facts = tracingFacts();
  if (facts.lockdown === 'confidentiality') throw whyNoTracefs('shut', '/sys/kernel/tracing', facts);
  return facts.lockdown ?? 'the kernel reports none';
}

function ringsLink(tracefs: Tracefs | undefined, cpus: readonly number[]): string {
  if (tracefs === undefined) throw new Undetermined('no tracefs');
  const { perCpuKb, overrun } = cpus.reduce(
    (sum, cpu) => {
      const size = ringKb(tracefs.readIfThere(`per_cpu/cpu${cpu}/buffer_size_kb`));
      return {
        perCpuKb: size === undefined ? sum.perCpuKb : [...new Set([...sum.perCpuKb, size])],
        overrun: sum.overrun + overrunOf(tracefs, cpu),
      };
    },
    { perCpuKb: [] as readonly number[], overrun: 0 },
  );
  if (perCpuKb.length === 0) throw new Undetermined('no ring reports its size');
  return `${cpus.length} of ${perCpuKb.join(' or ')} KiB; ${overrun} events overwritten; tracing_on is ${tracefs.tracingOn() ? 1 : 0}`;
}

/**
 * The size of a ring during a trace: a ring that is not in use is small, and is expanded to its full size at the start.
 */
function ringKb(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const { kb, expandedKb } = parseBufferSize(text);
  return expandedKb ?? kb;
}

/** The number of events overwritten in the CPU's ring; 0 for a CPU that was never online. */
function overrunOf(tracefs: Tracefs, cpu: number): number {
  try {
    return tracefs.stats(cpu).overrun;
  } catch {
    return 0;
  }
}

function clockLink(tracefs: Tracefs | undefined): string {
  const current = tracefs?.clocks().current;
  if (current === undefined) throw new Undetermined('tracefs does not report its clock');
  return printable(current);
}

function driverLink({ portsDir }: AgentOptions): string {
  if (portsDir !== usualPortsDir) return `not needed: the ports are in ${printable(portsDir)}`;
  const undriven = missingDriver();
  if (undriven !== undefined) throw undriven;
  return 'every virtio-serial device has a driver';
}

function portsLink(options: AgentOptions, cpus: readonly number[]): string {
  requireAnyPort(options, cpus);
  const missing = cpus
    .map((cpu) => portNameOf(options.portName, cpu))
    .filter((name) => findPort(options.portsDir, name) === undefined);
  const [first] = missing;
  if (first === undefined) return `${cpus.length}, one for each CPU`;
  throw new Failure(
    exitCode.missing,
    `${missing.length} of ${cpus.length} CPUs have no port, the first is ${first}`,
    `add one to the guest: ${qemuOptions(first)}; or trace fewer CPUs with --cpus`,
  );
}

function controlLink(options: AgentOptions): string {
  return hostRules(options) ? options.controlPort : 'none, and none is needed';
}

function holdersOf({ portsDir }: AgentOptions, names: readonly string[]): [name: string, PortHolder][] {
  const devices = new Map(
    names
      .map((name): [string, string] => [findPort(portsDir, name) ?? '', name])
      .filter(([path]) => path !== ''),
  );
  return [...portHolders([...devices.keys()])].flatMap(([path, holders]) =>
    holders.map((holder): [string, PortHolder] => [devices.get(path) ?? '', holder]),
  );
}

function agentLink(options: AgentOptions): string {
  const [, holder] = holdersOf(options, [options.controlPort])[0] ?? [];
  if (holder === undefined)
    throw new Failure(
      exitCode.missing,
      `no trace-agent is running: nobody has port ${options.controlPort} open`,
      'start it: trace-agent, or systemctl start trace-agent',
    );
  if (!isAgent(holder.pid))
    throw new Failure(
      exitCode.missing,
      `port ${options.controlPort} is held by ${printable(holder.command)} (pid ${holder.pid}), which is not a trace-agent`,
      `end it: kill ${holder.pid}`,
    );
  if (/^[Tt]/.test(procField(holder.pid, 'State')))
    throw new Failure(
      exitCode.failed,
      `trace-agent (pid ${holder.pid}) is stopped by a signal or a debugger`,
      `continue it: kill -CONT ${holder.pid}`,
    );
  return `trace-agent is running (pid ${holder.pid})`;
}

/** Checks that only a trace-agent, or a child of one, has trace ports open: an agent's workers inherit them. */
function busyLink(options: AgentOptions, cpus: readonly number[]): string {
  const held = holdersOf(
    options,
    cpus.map((cpu) => portNameOf(options.portName, cpu)),
  );
  const stranger = held.find(
    ([, { pid }]) => !isAgent(pid) && !isAgent(Number.parseInt(procField(pid, 'PPid'), 10)),
  );
  if (stranger === undefined)
    return held.length === 0 ? 'no trace port is in use' : 'only an agent has trace ports open';
  const [name, { pid, command }] = stranger;
  throw new Failure(
    exitCode.missing,
    `port ${name} is held by ${printable(command)} (pid ${pid})`,
    `end it: kill ${pid}`,
  );
}

/**
 * Whether the process is a trace-agent: its first argument is the program's name, or Node's followed by the program's.
 */
function isAgent(pid: number): boolean {
  try {
    const [program = '', script = ''] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return [program, script].some((word) => /(?:^|\/)trace-agent(?:\.[cm]?js)?$/.test(word));
  } catch {
    return false;
  }
}

function procField(pid: number, name: string): string {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '';
  } catch {
    return '';
  }
}
