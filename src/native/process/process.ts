import { checked, declare } from '../libc.ts';

const libcPrctl = declare(
  'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
);
const libcPrctlText = declare('int prctl(int option, const char *text)');
const libcExit = declare('void _exit(int code)');

const libcSyscall = declare('long syscall(long number, unsigned long a, unsigned long b, unsigned long c)');

const SYS_close_range = 436; // the same number on every architecture but MIPS and Alpha
const CLOSE_RANGE_CLOEXEC = 4;

/**
 * Marks inherited descriptors (a shell's, a service manager's) close-on-exec, so that children do not get them.
 * Kernels before 5.11 do not support this; there, children inherit them.
 */
export function closeStrayOnExec(): void {
  libcSyscall(SYS_close_range, 3, 0xffff_ffff, CLOSE_RANGE_CLOEXEC);
}

const PR_SET_NO_NEW_PRIVS = 38;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;

/**
 * Sets no_new_privs: nothing that this thread starts can gain privileges by running a file. It applies to the calling
 * thread and its children, so call it before the fork, not in the child, which has several threads.
 */
export function setNoNewPrivileges(): void {
  checked('prctl(PR_SET_NO_NEW_PRIVS)', libcPrctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

/**
 * Clears the ambient capabilities, so that children of this thread inherit none, even as the same user: a service
 * manager may have granted some. The process keeps its own. Kernels before 4.3 have no ambient capabilities.
 */
export function keepCapabilitiesFromChildren(): void {
  libcPrctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

const PR_SET_NAME = 15;

/**
 * Sets what `ps` shows for this process: the command line, truncated to the space of the original one, and the name
 * of the main thread. Needs no privileges.
 */
export function nameProcess(name: string, commandLine: string): void {
  process.title = commandLine;
  libcPrctlText(PR_SET_NAME, name);
}

/** Ends the process at once; process.exit() would wait for a poll that runs on another thread. */
export function exitNow(code: number): never {
  libcExit(code);
  throw new Error('unreachable');
}
