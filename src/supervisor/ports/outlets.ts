import { randomBytes } from 'node:crypto';
import { constants, fstatSync, openSync } from 'node:fs';
import { isatty } from 'node:tty';
import { errorCode } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { duplicate, isAppending, setNonBlocking } from '../../native/io/files.ts';
import { makeMemory } from '../../native/ipc/shared-memory.ts';
import { syncSize } from '../../protocol/frames.ts';
import type { Outlet } from '../../protocol/ipc.ts';
import { openPort, PortAway } from './ports.ts';

/** A source of the outlets to which workers send their pages. */
export interface OutletSource {
  readonly outlet: Outlet;
  /** A descriptor for one CPU's worker; the caller owns it. Throws PortAway or Failure. */
  open(cpu: number): number;
  /** A file that a worker locks to write to a shared outlet. Undefined if the outlet is not shared. */
  readonly turnFd: number | undefined;
  /** The bytes that frame headers begin with; undefined if pages have no headers. */
  readonly frameSync: Uint8Array | undefined;
}

/** A port for each CPU, named by a template with one `%d`. */
export function portOutlets(portsDir: string, portName: string): OutletSource {
  return {
    outlet: 'splice',
    open: (cpu) => openPort(portsDir, portNameOf(portName, cpu), 'out'),
    turnFd: undefined,
    frameSync: undefined,
  };
}

export function portNameOf(template: string, cpu: number): string {
  return template.replace('%d', String(cpu));
}

/** A file or pipe for each CPU, which this process has inherited. @param fds files, or the write ends of pipes, by CPU */
export function inheritedOutlets(fds: ReadonlyMap<number, number>): OutletSource {
  const areFiles = [...fds.values()].every((fd) => fstatSync(fd).isFile());
  return {
    outlet: areFiles ? 'file' : 'splice',
    open: (cpu) => {
      const fd = fds.get(cpu);
      if (fd === undefined) throw new PortAway('missing', `no outlet for CPU ${cpu}`, 'start again');
      // a file keeps its one position, whichever worker writes
      return areFiles ? duplicate(fd) : openPipeAnew(fd, `the pipe of CPU ${cpu}`);
    },
    turnFd: undefined,
    frameSync: undefined,
  };
}

const stdoutFd = 1;

/**
 * stdout as the one outlet of all CPUs. A pipe is opened again, so that O_NONBLOCK does not affect other processes
 * that share it; a file is not, because it must keep its one position. splice refuses a file opened with O_APPEND, so
 * pages are copied to it.
 * @param framed with a header before each CPU's pages (protocol/frames.ts)
 * @throws Failure when stdout is a terminal
 */
export function stdoutOutlets(framed: boolean): OutletSource {
  if (isatty(stdoutFd)) {
    throw new Failure(
      exitCode.usage,
      'stdout is a terminal; raw ring-buffer pages would garble it',
      `redirect it: trace-agent -o ${framed ? '--framed > trace.framed' : '--start > trace.raw'}`,
    );
  }
  const turnFd = makeMemory('trace-agent-turn', 1);
  const shared = { turnFd, frameSync: framed ? randomBytes(syncSize) : undefined };
  const stdout = fstatSync(stdoutFd);
  if (stdout.isFIFO()) return { outlet: 'shared', open: () => openPipeAnew(stdoutFd, 'stdout'), ...shared };
  if (stdout.isSocket()) setNonBlocking(stdoutFd);
  const outlet = isAppending(stdoutFd) ? 'copied' : 'shared';
  return { outlet, open: () => duplicate(stdoutFd), ...shared };
}

/** Opens a pipe again, for writing. This fails for a named FIFO without a reader. @throws Failure */
function openPipeAnew(fd: number, name: string): number {
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (errorCode(error) !== 'ENXIO') throw error;
    throw new Failure(exitCode.missing, `${name} is a FIFO without a reader`, 'start its reader', {
      cause: error,
    });
  }
}
