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
 * A trace instance, or the top level if there is no name, and everything in it. No call here waits for events, but some
 * writes (filters, sizes) take the kernel milliseconds.
 */
export class Tracefs {
  /** The mount point of tracefs. */
  readonly root: string;
  readonly instance: string | undefined;
  /** The instance's own directory. */
  readonly dir: string;

  constructor(root: string, instance?: string) {
    this.root = root;
    this.instance = instance;
    this.dir = instance === undefined ? root : join(root, 'instances', instance);
  }

  /** The whole text of a file; the name is relative to the instance. Throws node:fs errors as they are. */
  read(name: string): string {
    return readFileSync(join(this.dir, name), 'utf8');
  }

  /** Like `read`; undefined when this kernel does not have the file. */
  readIfThere(name: string): string | undefined {
    try {
      return this.read(name);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Writes the whole text with one write(2), as the kernel requires of control files. Does not truncate first. */
  write(name: string, text: string): void {
    const fd = openSync(join(this.dir, name), constants.O_WRONLY);
    try {
      writeSync(fd, text);
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Replaces a list of functions. The kernel accepts one name per write and applies the list at the close, so there is
   * no state between old and new. When it refuses a name, the names before that one take effect.
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
   * Opens the CPU's ring for reading whole pages, non-blocking (a blocking splice may never return) and
   * close-on-exec. The caller owns the descriptor. Throws Failure that names the file.
   */
  openRing(cpu: number): number {
    const path = join(this.dir, 'per_cpu', `cpu${cpu}`, 'trace_pipe_raw');
    try {
      return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (error) {
      const errno = errorCode(error);
      if (errno === 'ENOENT')
        throw new Failure(exitCode.missing, `no ring for CPU ${cpu}: ${path} does not exist`);
      if (errno === 'EACCES' || errno === 'EPERM') {
        throw new Failure(exitCode.notPermitted, `cannot open ${path}: permission denied`, 'run as root');
      }
      throw new Failure(exitCode.failed, `cannot open ${path}: ${errno}`, '', { cause: error });
    }
  }

  /**
   * The layout of this instance's pages. Since 6.8 `buffer_subbuf_size_kb` sets the size per instance, and the
   * instance's own `events/header_page` follows it (seen on 6.18: 8 KB gives data size 8176 there and leaves the
   * top-level file at 4080). Older kernels have one page size and the same file in each instance. So this reads the
   * instance's header_page, never the root's.
   */
  pageLayout(): PageLayout {
    return parsePageLayout(this.read('events/header_page'));
  }

  /** Size of a page of trace_pipe_raw, header included. */
  pageBytes(): number {
    const layout = this.pageLayout();
    return layout.dataOffset + layout.dataBytes;
  }

  /**
   * The number of pages that the CPU's ring can hold, including the reader page, which the kernel does not count in
   * the size. A ring that is not expanded yet counts as expanded: the first event can expand it at any time. 0 for
   * a CPU that was never online.
   */
  ringPages(cpu: number): number {
    const { kb } = parseBufferSize(this.read(`per_cpu/cpu${cpu}/buffer_size_kb`));
    if (!kb) return 0;
    const { expandedKb } = this.bufferSize();
    return subBuffersOf(Math.max(kb, expandedKb ?? 0), this.pageLayout().dataBytes) + 1;
  }

  /** The common size of all rings. */
  bufferSize(): BufferSize {
    return parseBufferSize(this.read('buffer_size_kb'));
  }

  /**
   * Expands the rings to their full size. The kernel keeps them at two pages until the first event or tracer is
   * enabled; writes to trace_marker do not expand them and would overrun at once. Blocks while the pages are
   * allocated.
   * @returns the new size of each ring in KB; undefined when they were already expanded
   */
  expandRings(): number | undefined {
    const { expandedKb } = this.bufferSize();
    if (expandedKb !== undefined) this.write('buffer_size_kb', String(expandedKb));
    return expandedKb;
  }

  /** The CPU's counts of events and bytes in the ring, read and lost. */
  stats(cpu: number): RingStats {
    return parseRingStats(this.read(`per_cpu/cpu${cpu}/stats`));
  }

  /** Every possible CPU, ascending: each has a ring directory. */
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

  /** How full a ring must be, in per cent, before poll reports it; undefined before Linux 5.0, which added the file. */
  bufferPercent(): number | undefined {
    const text = this.readIfThere('buffer_percent');
    return text === undefined ? undefined : Number(text.trim());
  }

  /** Names of the event systems, sorted. */
  systems(): string[] {
    return directoriesOf(join(this.dir, 'events'));
  }

  /** Names of a system's events, sorted; empty when there is no such system. */
  eventsOf(system: string): string[] {
    return isPlainName(system) ? directoriesOf(join(this.dir, 'events', system)) : [];
  }

  /** Every event as `system:name`, sorted by system, then name. */
  events(): string[] {
    return this.systems().flatMap((system) => this.eventsOf(system).map((name) => `${system}:${name}`));
  }

  /** Whether the event exists, or, if `name` is undefined, whether the system exists. */
  hasEvent(system: string, name?: string): boolean {
    return this.#inEvents(system, name, name === undefined ? '' : 'format');
  }

  /** Like `hasEvent`, but false for the records of tracers (system `ftrace`), which cannot be enabled or filtered. */
  isSwitchable(system: string, name?: string): boolean {
    return this.#inEvents(system, name, 'enable');
  }

  #inEvents(system: string, name: string | undefined, file: string): boolean {
    if (!isPlainName(system) || (name !== undefined && !isPlainName(name))) return false;
    return existsSync(join(this.dir, 'events', system, name ?? '', file));
  }
}

/** Whether a name is a single path component. */
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
