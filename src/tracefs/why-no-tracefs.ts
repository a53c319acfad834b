import { readFileSync } from 'node:fs';
import { exitCode, Failure } from '../base/failure.ts';

/** What decides whether this process can use tracefs. */
export interface TracingFacts {
  /** Whether the kernel has the file system; undefined without /proc. */
  readonly knowsTracefs: boolean | undefined;
  readonly lockdown: Lockdown | undefined;
  /** Whether this process is root, at least in its own user namespace. */
  readonly isRoot: boolean;
  /** CAP_SYS_ADMIN, which mounting needs and a container's root may lack; undefined without /proc. */
  readonly mayMount: boolean | undefined;
}

/** The level of kernel_lockdown(7); `none` where it is not built in. */
export type Lockdown = 'none' | 'integrity' | 'confidentiality';

/** What is wrong at the place where tracefs should be. `shut`: there are files, and the kernel refuses to open them. */
export type TracefsFault = 'absent' | 'empty' | 'denied' | 'shut';

export const mountRemedy = 'mount it: mount -t tracefs nodev /sys/kernel/tracing';
const lockdownFile = '/sys/kernel/security/lockdown';
/** CAP_SYS_ADMIN of linux/capability.h. */
const capSysAdmin = 21n;

/** Reads the state from /proc and securityfs. Does not block. */
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
 * The lockdown level, from its file or, if securityfs is not mounted, from the kernel command line.
 * @param file of /sys/kernel/security/lockdown, e.g. `none integrity [confidentiality]`
 * @param commandLine of /proc/cmdline
 * @returns undefined if neither contains it
 */
export function lockdownOf(file: string | undefined, commandLine: string | undefined): Lockdown | undefined {
  const level =
    file === undefined
      ? [...(commandLine ?? '').matchAll(/(?:^|\s)lockdown=(\w+)/g)].at(-1)?.[1]
      : /\[(\w+)\]/.exec(file)?.[1];
  return level === 'none' || level === 'integrity' || level === 'confidentiality' ? level : undefined;
}

/** The error for unusable tracefs, with the reason as far as the kernel's state shows it, and the remedy. */
export function whyNoTracefs(fault: TracefsFault, place: string, facts: TracingFacts): Failure {
  // checked first: neither mounting nor being root helps
  if (facts.lockdown === 'confidentiality' && fault !== 'absent')
    return new Failure(
      exitCode.notPermitted,
      `the kernel is locked down (confidentiality), which blocks tracefs at ${place}`,
      'boot without lockdown=confidentiality, and without anything that raises it later; lockdown=integrity allows tracing',
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
          'mount it outside the container and pass it in, e.g. with -v /sys/kernel/tracing:/sys/kernel/tracing',
        );
      return new Failure(exitCode.missing, `tracefs is not mounted at ${place}`, mountRemedy);
    case 'empty':
      return new Failure(
        exitCode.missing,
        `tracefs at ${place} is mounted but has no rings`,
        'see dmesg for why the kernel did not set up tracing',
      );
    case 'denied':
    case 'shut':
      if (facts.isRoot)
        return new Failure(
          exitCode.notPermitted,
          `cannot read ${place}, although this is root`,
          'a container or a security module forbids it: run outside the container, or see the audit log',
        );
      return new Failure(exitCode.notPermitted, `cannot read ${place}: permission denied`, 'run as root');
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
