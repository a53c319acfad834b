import { closeSync, constants, existsSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { exitCode, Failure } from '../base/failure.ts';
import { errorCode } from '../base/error-code.ts';
import {
  type BufferSize,
  type PageLayout,
  parseBufferSize,
  parsePageLayout,
  parseRingStats,
  type RingStats,
  subBuffersOf,
} from './ring-files.ts';

/**
 * One trace instance (the top-level one without a name) and everything in it. Its files answer from memory: no
 * call here waits for events, though some kernel writes (filters, sizes) take milliseconds.
 */
export class Tracefs {
  /** Where tracefs is mounted. */
  readonly root: string;
  readonly instance: string | undefined;
  /** The instance's own directory. */
  readonly dir: string;

  constructor(root: string, instance?: string) {
    this.root = root;
    this.instance = instance;
    this.dir = instance === undefined ? root : join(root, 'instances', instance);
  }

  /** The whole text of a file, named below the instance. Throws node:fs errors as they are. */
  read(name: string): string {
    return readFileSync(join(this.dir, name), 'utf8');
  }

  /** As `read`, of a file that some kernels lack: undefined then. */
  readIfThere(name: string): string | undefined {
    try {
      return this.read(name);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** One write(2) of the whole text: the kernel takes a control file's value in one piece. Never truncates. */
  write(name: string, text: string): void {
    const fd = openSync(join(this.dir, name), constants.O_WRONLY);
    try {
      writeSync(fd, text);
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Replaces a list of functions. The kernel takes one name a write and has the whole list in force at the close, so
   * not for a moment is anything between old and new; a name that it refuses leaves those before it in force.
   */
  writeList(
    name: string,
    entries: readonly string[],
    each = (_entry: string, write: () => void) => write(),
  ): void {
    const fd = openSync(join(this.dir, name), constants.O_WRONLY | constants.O_TRUNC);
    try {
      for (const entry of entries) each(entry, () => writeSync(fd, `${entry}\n`));
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Opens the CPU's ring for whole pages, non-blocking (a blocking splice from it may never end) and
   * close-on-exec. The caller owns the descriptor. Throws a Failure that names the file.
   */
  openRing(cpu: number): number {
    const path = join(this.dir, 'per_cpu', `cpu${cpu}`, 'trace_pipe_raw');
    try {
      return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (error) {
      const errno = errorCode(error);
      if (errno === 'ENOENT')
        throw new Failure(exitCode.missing, `no ring for CPU ${cpu}: ${path} is not there`);
      if (errno === 'EACCES' || errno === 'EPERM') {
        throw new Failure(exitCode.notPermitted, `${path} may not be opened by this user`, 'run as root');
      }
      throw new Failure(exitCode.failed, `${path} does not open: ${errno}`, '', { cause: error });
    }
  }

  /**
   * The layout of this instance's pages. Since 6.8 `buffer_subbuf_size_kb` sets the size per instance, and the
   * instance's own `events/header_page` follows it (seen on 6.18: 8 KB gives data size 8176 there and leaves the
   * top-level file at 4080). Older kernels have the same file with the one size there is. So header_page of the
   * instance it is, never that of the root.
   */
  pageLayout(): PageLayout {
    return parsePageLayout(this.read('events/header_page'));
  }

  /** Bytes of one page as trace_pipe_raw gives it, header included. */
  pageBytes(): number {
    const layout = this.pageLayout();
    return layout.dataOffset + layout.dataBytes;
  }

  /**
   * How many pages the CPU's ring can have in store, the reader's own page (which the kernel does not count in the
   * size) included. A ring that is not expanded yet counts as expanded: the first event makes it so at any moment.
   * 0 for a CPU that was never online.
   */
  ringPages(cpu: number): number {
    const { kb } = parseBufferSize(this.read(`per_cpu/cpu${cpu}/buffer_size_kb`));
    if (!kb) return 0;
    const { expandedKb } = this.bufferSize();
    return subBuffersOf(Math.max(kb, expandedKb ?? 0), this.pageLayout().dataBytes) + 1;
  }

  /** The size that all CPUs' rings have. */
  bufferSize(): BufferSize {
    return parseBufferSize(this.read('buffer_size_kb'));
  }

  /**
   * Gives rings their full size. The kernel keeps them at two pages until the first event or tracer is enabled, and
   * writes to trace_marker alone do not count as that: they would overrun at once. Waits while the pages are made.
   * @returns the size in KB that each ring now has; undefined when they had it already
   */
  expandRings(): number | undefined {
    const { expandedKb } = this.bufferSize();
    if (expandedKb !== undefined) this.write('buffer_size_kb', String(expandedKb));
    return expandedKb;
  }

  /** The CPU's own count of what went in, out and lost. */
  stats(cpu: number): RingStats {
    return parseRingStats(this.read(`per_cpu/cpu${cpu}/stats`));
  }

  /** Every CPU that may ever come online, ascending: each has a ring directory. */
  cpus(): number[] {
    return readdirSync(join(this.dir, 'per_cpu'))
      .flatMap((name) => /^cpu(\d+)$/.exec(name)?.[1] ?? [])
      .map(Number)
      .toSorted((a, b) => a - b);
  }

  currentTracer(): string {
    return this.read('current_tracer').trim();
  }

  availableTracers(): string[] {
    return words(this.read('available_tracers'));
  }

  /** Names of the trace options that can be on or off. */
  options(): string[] {
    return readdirSync(join(this.dir, 'options')).toSorted();
  }

  tracingOn(): boolean {
    return this.read('tracing_on').trim() === '1';
  }

  /** The clocks that this kernel has, and the one in use (`local [global] counter …`). */
  clocks(): { readonly available: readonly string[]; readonly current: string | undefined } {
    const listed = words(this.read('trace_clock'));
    const current = listed.find((word) => word.startsWith('['))?.slice(1, -1);
    return { available: listed.map((word) => word.replace(/^\[|\]$/g, '')), current };
  }

  /** Per cent of the ring that must be full before poll says so; undefined before 5.0, which has no such file. */
  bufferPercent(): number | undefined {
    const text = this.readIfThere('buffer_percent');
    return text === undefined ? undefined : Number(text.trim());
  }

  /** Names of the event systems, sorted. */
  systems(): string[] {
    return directoriesOf(join(this.dir, 'events'));
  }

  /** Names of a system's events, sorted; none when there is no such system. */
  eventsOf(system: string): string[] {
    return isPlainName(system) ? directoriesOf(join(this.dir, 'events', system)) : [];
  }

  /** Every event as `system:name`, sorted by system, then name. */
  events(): string[] {
    return this.systems().flatMap((system) => this.eventsOf(system).map((name) => `${system}:${name}`));
  }

  /** Whether there is such an event, or with `name` undefined such a system. */
  hasEvent(system: string, name?: string): boolean {
    return this.#inEvents(system, name, name === undefined ? '' : 'format');
  }

  /** As `hasEvent`, of those that can be switched on and filtered: not so the records of tracers, system `ftrace`. */
  isSwitchable(system: string, name?: string): boolean {
    return this.#inEvents(system, name, 'enable');
  }

  #inEvents(system: string, name: string | undefined, file: string): boolean {
    if (!isPlainName(system) || (name !== undefined && !isPlainName(name))) return false;
    return existsSync(join(this.dir, 'events', system, name ?? '', file));
  }
}

/** Whether a name stays in the directory that it is looked up in. */
function isPlainName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name);
}

function directoriesOf(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
      .toSorted();
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}
