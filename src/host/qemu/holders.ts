import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A process that has files of a guest's directory open. */
export interface Holder {
  readonly pid: number;
  /** The process's command line; empty if the process has just ended. */
  readonly argv: readonly string[];
  readonly files: readonly HeldFile[];
}

export interface HeldFile {
  /** Name in the directory. */
  readonly name: string;
  /**
   * True if the name in the directory now refers to another file, or to none, so that this file cannot be opened by
   * path.
   */
  readonly isRemoved: boolean;
}

const deletedMark = ' (deleted)';

/**
 * Lists the processes that have files open below a directory, even a removed one: FIFOs and files by /proc/PID/fd,
 * UNIX sockets by /proc/net/unix. Changes nothing. Blocks for a few milliseconds if there are a few hundred processes.
 * Processes that this user may not inspect are skipped.
 * @param dir absolute, without symbolic links
 */
export function holdersBelow(dir: string): Holder[] {
  const sockets = socketsBelow(dir);
  return numbersIn('/proc').flatMap((pid) => {
    const files = numbersIn(`/proc/${pid}/fd`).flatMap((fd) => heldFile(dir, pid, fd, sockets) ?? []);
    return files.length === 0 ? [] : [{ pid, argv: argvOf(pid), files }];
  });
}

function heldFile(
  dir: string,
  pid: number,
  fd: number,
  sockets: ReadonlyMap<string, string>,
): HeldFile | undefined {
  const target = linkTarget(`/proc/${pid}/fd/${fd}`);
  const [, inode] = /^socket:\[(\d+)\]$/.exec(target) ?? [];
  if (inode !== undefined) {
    const name = sockets.get(inode);
    // an existing name counts as not removed: only connecting could show that it belongs to another socket
    return name === undefined ? undefined : { name, isRemoved: !existsSync(`${dir}/${name}`) };
  }
  if (!target.startsWith(`${dir}/`)) return undefined;
  const isRemoved = target.endsWith(deletedMark);
  const name = target.slice(dir.length + 1, isRemoved ? -deletedMark.length : undefined);
  return name.includes('/') ? undefined : { name, isRemoved };
}

/** Maps the inodes of the sockets that are bound below a directory to their names. */
function socketsBelow(dir: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of textOf('/proc/net/unix').split('\n')) {
    const [, inode, path] = /^(?:\S+ ){6}\s*(\d+) (.*)$/.exec(line) ?? [];
    if (inode === undefined || path === undefined || !path.startsWith(`${dir}/`)) continue;
    const name = path.slice(dir.length + 1);
    if (!name.includes('/')) found.set(inode, name);
  }
  return found;
}

/** Whether a holder is a QEMU, by its program's name. */
export function isQemu({ argv }: Holder): boolean {
  return /(?:^|\/)(?:qemu-system-[\w-]+|qemu-kvm|kvm|qemu)$/.test(argv[0] ?? '');
}

function argvOf(pid: number): string[] {
  return textOf(`/proc/${pid}/cmdline`).split('\0').slice(0, -1);
}

function numbersIn(dir: string): number[] {
  try {
    return readdirSync(dir)
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    // the process has exited meanwhile, or this user may not inspect it
    return [];
  }
}

function linkTarget(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return '';
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
