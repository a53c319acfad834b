import { readFileSync } from 'node:fs';
import { exitCode, Failure } from '../base/failure.ts';

/** What a kernel tells of itself that decides whether tracefs can be used. */
export interface TracingFacts {
  /** Whether it knows the file system; undefined: /proc is not there. */
  readonly knowsTracefs: boolean | undefined;
  readonly lockdown: Lockdown | undefined;
  /** Whether this process is root, of its own user namespace at least. */
  readonly isRoot: boolean;
  /** CAP_SYS_ADMIN, which mounting takes and a container's root may lack; undefined: /proc is not there. */
  readonly mayMount: boolean | undefined;
}

/** Of lockdown(7); `none` where it is not built in. */
export type Lockdown = 'none' | 'integrity' | 'confidentiality';

/** What is found where tracefs should be. `shut`: it has files, and the kernel refuses to open them. */
export type TracefsFault = 'absent' | 'empty' | 'denied' | 'shut';

export const mountRemedy = 'mount it: mount -t tracefs nodev /sys/kernel/tracing';
const lockdownFile = '/sys/kernel/security/lockdown';
/** CAP_SYS_ADMIN of linux/capability.h. */
const capSysAdmin = 21n;

/** Asks this kernel. Reads /proc and securityfs, never blocks. */
export function tracingFacts(): TracingFacts {
  const filesystems = textOf('/proc/filesystems');
  const capabilities = /^CapEff:\s*([0-9a-f]+)$/m.exec(textOf('/proc/self/status') ?? '')?.[1];
  return {
    knowsTracefs: filesystems === undefined ? undefined : /^nodev\ttracefs$/m.test(filesystems),
    lockdown: lockdownOf(textOf(lockdownFile), textOf('/proc/cmdline')),
    isRoot: process.geteuid?.() === 0,
    mayMount:
      capabilities === undefined ? undefined : ((BigInt(`0x${capabilities}`) >> capSysAdmin) & 1n) === 1n,
  };
}

/**
 * How far the kernel is locked down: its own file says, and where securityfs is not mounted, what it was booted with.
 * @param file of /sys/kernel/security/lockdown, e.g. `none integrity [confidentiality]`
 * @param commandLine of /proc/cmdline
 * @returns undefined when neither tells
 */
export function lockdownOf(file: string | undefined, commandLine: string | undefined): Lockdown | undefined {
  const level =
    file === undefined
      ? [...(commandLine ?? '').matchAll(/(?:^|\s)lockdown=(\w+)/g)].at(-1)?.[1]
      : /\[(\w+)\]/.exec(file)?.[1];
  return level === 'none' || level === 'integrity' || level === 'confidentiality' ? level : undefined;
}

/** What is said when tracefs cannot be used: the cause that the kernel's own words allow, and what mends that one. */
export function whyNoTracefs(fault: TracefsFault, place: string, facts: TracingFacts): Failure {
  // the first of all: neither mounting nor being root helps against it
  if (facts.lockdown === 'confidentiality' && fault !== 'absent')
    return new Failure(
      exitCode.notPermitted,
      `the kernel is locked down (confidentiality), which shuts tracefs at ${place}`,
      'boot it without lockdown=confidentiality, and without what raises it later; lockdown=integrity leaves tracing as it is',
    );
  switch (fault) {
    case 'absent':
      if (facts.knowsTracefs === false)
        return new Failure(
          exitCode.missing,
          'this kernel has no tracefs: it is not in /proc/filesystems',
          'boot a kernel with CONFIG_FTRACE and CONFIG_EVENT_TRACING',
        );
      if (facts.mayMount === false && facts.isRoot)
        return new Failure(
          exitCode.missing,
          `tracefs is not mounted at ${place}, and this root may not mount it (no CAP_SYS_ADMIN, as in a container)`,
          'mount it outside and pass it in, e.g. with -v /sys/kernel/tracing:/sys/kernel/tracing',
        );
      return new Failure(exitCode.missing, `tracefs is not mounted at ${place}`, mountRemedy);
    case 'empty':
      return new Failure(
        exitCode.missing,
        `tracefs at ${place} is mounted and has no rings`,
        'see dmesg for why the kernel did not set tracing up',
      );
    case 'denied':
    case 'shut':
      if (facts.isRoot)
        return new Failure(
          exitCode.notPermitted,
          `${place} may not be read, although this is root`,
          'a container or a security module forbids it: run outside of the container, or see the audit log',
        );
      return new Failure(exitCode.notPermitted, `${place} may not be read by this user`, 'run as root');
    default:
      return fault satisfies never;
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
