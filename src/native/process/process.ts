import { checked, declare } from '../libc.ts';

const libcPrctl = declare(
  'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
);
const libcPrctlText = declare('int prctl(int option, const char *text)');
const libcExit = declare('void _exit(int code)');

const libcSyscall = declare('long syscall(long number, unsigned long a, unsigned long b, unsigned long c)');

const SYS_close_range = 436; // the same number on every architecture
const CLOSE_RANGE_CLOEXEC = 4;

/**
 * Keeps descriptors that we were started with (a shell's, a service manager's) from children that are not meant to
 * have them. Kernels before 5.11 do not know the call: there they stay.
 */
export function closeStrayOnExec(): void {
  libcSyscall(SYS_close_range, 3, 0xffff_ffff, CLOSE_RANGE_CLOEXEC);
}

const PR_SET_NO_NEW_PRIVS = 38;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;

/**
 * Nothing that this thread starts from now on can gain privileges by running a file. Holds for the calling thread
 * and what it starts, so it belongs before the fork, not into the child with its several threads.
 */
export function setNoNewPrivileges(): void {
  checked('prctl(PR_SET_NO_NEW_PRIVS)', libcPrctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

/**
 * What this thread starts from now on has none of our capabilities, also when it stays the same user: a service
 * manager may have given them to us as ambient ones, which a child would inherit. Ours stay. Kernels before 4.3 have
 * no such capabilities.
 */
export function keepCapabilitiesFromChildren(): void {
  libcPrctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

const PR_SET_NAME = 15;

/**
 * What `ps` shows of this process: the command line, as far as there is room where the old one stood, and the name of
 * its main thread. Takes no privilege.
 */
export function nameProcess(name: string, commandLine: string): void {
  process.title = commandLine;
  libcPrctlText(PR_SET_NAME, name);
}

/** Ends the process at once; process.exit() would wait for a poll that is under way on another thread. */
export function exitNow(code: number): never {
  libcExit(code);
  throw new Error('unreachable');
}
