import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Logger } from 'pino';
import { Backoff } from '../../base/backoff.ts';
import { isObject } from '../../base/json-type.ts';
import { printable } from '../../base/quoted.ts';
import { writeReplacing } from '../../trace/file/write-replacing.ts';
import { Problem } from '../http/problem.ts';
import type { Bus } from './bus.ts';
import { type Children, lastMessage, runTool, startChild } from './child.ts';
import type { Guests } from './guests.ts';
import { isId, newId } from './ids.ts';
import { sections } from './record-arguments.ts';
import type { GuestJob, JobView, WatchRequest, WatchView } from './views.ts';

interface Watch {
  readonly id: string;
  readonly request: WatchRequest;
  readonly isSystem: boolean;
  readonly startedAt: string;
  readonly backoff: Backoff;
  readonly said: Readonly<Record<string, unknown>>[];
  state: WatchView['state'];
  error: string | null;
  child: ChildProcess | undefined;
  timer: NodeJS.Timeout | undefined;
  ended: Promise<void>;
}

const maxWatches = 32;
const keptEvents = 50;
const maxLineBytes = 64 * 1024;
const maxFileBytes = 64 * 1024;
const triggerLimits = { timeoutMs: 30_000, outputBytes: 1 << 20 };
const watchName = 'watch.json';

/** Watches: recorders that never stop, each a process of its own, which is started again when it ends. */
export class Watches {
  readonly #children: Children;
  readonly #dir: string;
  readonly #bus: Bus;
  readonly #log: Logger;
  readonly #watches = new Map<string, Watch>();
  #isClosing = false;

  constructor(children: Children, dataDir: string, bus: Bus, log: Logger) {
    this.#children = children;
    this.#dir = join(dataDir, 'watches');
    this.#bus = bus;
    this.#log = log;
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
  }

  /**
   * Starts the watches that are defined in a directory, and those that were made through the API. A file that is not
   * valid is reported in the log. @param check @returns what is wrong with a value; undefined for a request
   */
  restore(systemDir: string, check: (value: unknown) => string | undefined, guests: Guests): void {
    const system = namesIn(systemDir)
      .filter((name) => name.endsWith('.json'))
      .map((name) => ({ id: `etc-${idOf(name)}`, path: join(systemDir, name), isSystem: true }));
    const own = namesIn(this.#dir)
      .filter((id) => isId(id) && !id.startsWith('etc-'))
      .map((id) => ({ id, path: join(this.#dir, id, watchName), isSystem: false }));
    for (const { id, path, isSystem } of [...system, ...own]) {
      const value = readJson(path);
      if (value === undefined && !isSystem) continue;
      const wrong = check(value);
      if (wrong !== undefined) this.#log.error({ file: path, why: wrong }, 'this watch is not valid');
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked
      else this.#add(id, value as WatchRequest, isSystem, guests);
    }
  }

  list(): readonly WatchView[] {
    return [...this.#watches.values()].map(view);
  }

  jobs(): readonly JobView[] {
    return [...this.#watches.values()].map(({ id, request, startedAt, state, error }) => ({
      id,
      kind: 'watch' as const,
      guests: request.guests,
      host: request.host,
      startedAt,
      state,
      progress: null,
      error,
      recording: null,
    }));
  }

  /** The watch that watches a guest. */
  jobOf(guest: string): GuestJob | undefined {
    for (const { id, request, child } of this.#watches.values())
      if (child !== undefined && request.guests.includes(guest)) return { id, kind: 'watch' };
    return undefined;
  }

  /** Starts a watch that goes on after a restart of the daemon. @throws Problem */
  async create(request: WatchRequest, guests: Guests): Promise<WatchView> {
    if (this.#isClosing) throw new Problem(503, 'the daemon is stopping');
    if (this.#watches.size >= maxWatches)
      throw new Problem(409, `there are ${maxWatches} watches already`, 'delete one first');
    for (const name of request.guests) {
      if (guests.locationOf(name) === undefined)
        throw new Problem(404, `there is no guest ${printable(JSON.stringify(name))}`, 'see GET /api/guests');
      const other = guests.jobOf(name);
      if (other !== undefined)
        throw new Problem(409, `guest ${name} is recorded by job ${other.id}`, 'stop that job first');
    }
    const id = newId();
    mkdirSync(join(this.#dir, id), { mode: 0o700 });
    await writeReplacing(join(this.#dir, id, watchName), (file) =>
      file.writeFile(`${JSON.stringify(request)}\n`),
    );
    return view(this.#add(id, request, false, guests));
  }

  /** Ends a watch; what it captured stays. @throws Problem */
  async delete(id: string): Promise<void> {
    const watch = this.#get(id);
    if (watch.isSystem)
      throw new Problem(409, 'a file of the administrator defines this watch', 'remove that file');
    rmSync(join(this.#dir, id, watchName), { force: true });
    await stop(watch);
    this.#watches.delete(id);
    this.#changed();
  }

  /** Whether there is such a watch. */
  has(id: string): boolean {
    return this.#watches.has(id);
  }

  /** Pulls the trigger by hand. @throws Problem */
  async trigger(id: string, guest: string, text: string, guests: Guests): Promise<void> {
    const watch = this.#get(id);
    if (!watch.request.guests.includes(guest))
      throw new Problem(404, `this watch does not watch ${printable(JSON.stringify(guest))}`);
    const dir = guests.locationOf(guest)?.dir;
    const args = ['trigger', ...(dir === undefined ? [] : [`--dir=${dir}`]), '--', guest, text];
    await runTool(this.#children, args, triggerLimits);
  }

  /** Ends all watches in order. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.all([...this.#watches.values()].map((watch) => stop(watch)));
  }

  #get(id: string): Watch {
    const watch = this.#watches.get(id);
    if (watch === undefined) throw new Problem(404, 'there is no such watch');
    return watch;
  }

  #add(id: string, request: WatchRequest, isSystem: boolean, guests: Guests): Watch {
    const watch: Watch = {
      id,
      request,
      isSystem,
      startedAt: new Date().toISOString(),
      backoff: new Backoff(1000, 60_000),
      said: [],
      state: 'waiting',
      error: null,
      child: undefined,
      timer: undefined,
      ended: Promise.resolve(),
    };
    this.#watches.set(id, watch);
    watch.ended = this.#run(watch, guests);
    this.#changed();
    return watch;
  }

  /** Runs the watch once; resolves at the end of its process, and has it started again then. */
  async #run(watch: Watch, guests: Guests): Promise<void> {
    const { id, request } = watch;
    const out = join(this.#dir, id, 'captures');
    mkdirSync(out, { recursive: true, mode: 0o700 });
    await Promise.all(request.guests.map((name) => guests.free(name)));
    const dirs = request.guests.flatMap((name) => guests.locationOf(name)?.dir ?? []);
    const child = startChild(this.#children, watchArguments(request, out, dirs[0]), 'pipe', 'pipe');
    watch.child = child;
    watch.state = 'running';
    this.#changed();
    const startedMs = performance.now();
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-maxLineBytes);
    });
    if (child.stdout !== null)
      createInterface({ input: child.stdout }).on('line', (line) => this.#hear(watch, line));
    await new Promise<void>((resolve) => {
      child.once('close', () => resolve()).once('error', () => resolve());
    });
    watch.child = undefined;
    if (isStopping(watch)) return;
    watch.state = 'waiting';
    const message = lastMessage(said);
    watch.error =
      message === undefined ? 'its process has ended' : `${message.detail} ${message.remedy}`.trim();
    // it ran for a while: not the same failure again
    if (performance.now() - startedMs > 60_000) watch.backoff.reset();
    watch.backoff.begin();
    const waitMs = watch.backoff.next();
    this.#log.warn({ watch: id, why: watch.error, waitMs }, 'a watch has ended; it is started again');
    watch.timer = setTimeout(() => {
      watch.ended = this.#run(watch, guests);
    }, waitMs);
    this.#changed();
  }

  #hear(watch: Watch, line: string): void {
    if (line.length > maxLineBytes) return;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      return;
    }
    if (!isObject(value)) return;
    watch.error = null;
    watch.said.push(value);
    if (watch.said.length > keptEvents) watch.said.shift();
    this.#bus.changed(value['event'] === 'captured' ? 'recordings' : 'watches');
  }

  #changed(): void {
    this.#bus.changed('watches');
    this.#bus.changed('jobs');
  }
}

/** The command line of `trace-host watch` for a request. */
export function watchArguments(request: WatchRequest, out: string, dir: string | undefined): string[] {
  const { on, keep, before, after, atMost, maxTotal } = request;
  const option = (name: string, value: string | undefined): string[] =>
    value === undefined ? [] : [`--${name}=${value}`];
  return [
    'watch',
    '--json',
    '--ignore-unknown',
    `--output=${out}`,
    ...option('dir', dir),
    ...on.flatMap((condition) => option('on', condition)),
    ...option('keep', keep),
    ...option('before', before),
    ...option('after', after),
    ...option('at-most', atMost),
    ...option('max-total', maxTotal),
    ...sections(request),
  ];
}

/** A function, for the state changes while the caller waits. */
function isStopping({ state }: Watch): boolean {
  return state === 'stopping';
}

async function stop(watch: Watch): Promise<void> {
  watch.state = 'stopping';
  clearTimeout(watch.timer);
  watch.child?.kill('SIGINT');
  await watch.ended;
}

function view({ id, request, isSystem, state, startedAt, error, said }: Watch): WatchView {
  return { ...request, id, system: isSystem, state, startedAt, error, said };
}

function idOf(name: string): string {
  return name
    .slice(0, -'.json'.length)
    .toLowerCase()
    .replaceAll(/[^\da-z-]/g, '-')
    .slice(0, 48);
}

function readJson(path: string): unknown {
  try {
    return statSync(path).size > maxFileBytes ? undefined : JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}
