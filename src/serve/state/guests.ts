import { readdirSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { errnoOf } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { ControlClient } from '../../host/control/client.ts';
import { GuestDir } from '../../host/guest-dir/guest-dir.ts';
import type { GuestLocation } from '../../host/guest-dir/location.ts';
import { guestMarks } from '../../host/port-names.ts';
import type { StatusAnswer } from '../../protocol/control.ts';
import type { Bus } from './bus.ts';
import type { GuestView } from './views.ts';

const scanMs = 2000;
/** How often an agent is asked for its status, while somebody looks and otherwise. */
const askMs = { looked: 5000, unseen: 60_000 };
const lookMs = 10_000;
const statusTimeoutMs = 1500;
/** Directories that are scanned at most; an API with more would not be readable. */
const maxGuests = 256;

interface Known {
  readonly location: GuestLocation;
  view: GuestView;
  askedMs: number;
  asking: Promise<void> | undefined;
}

/** Finds guests in their directories, again and again, and asks their agents for their state. */
export class Guests {
  readonly #dir: string;
  readonly #bus: Bus;
  /** Id of this daemon's job that records a guest. */
  readonly jobOf: (guest: string) => string | undefined;
  readonly #isShown: (guest: string) => boolean;
  readonly #known = new Map<string, Known>();
  #timer: NodeJS.Timeout | undefined;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #lookers = 0;

  /**
   * @param jobOf id of this daemon's job that records a guest
   * @param isShown whether this daemon shows live figures of a guest
   */
  constructor(
    dir: string,
    bus: Bus,
    jobOf: (guest: string) => string | undefined,
    isShown: (guest: string) => boolean,
  ) {
    this.#isShown = isShown;
    this.#dir = resolve(dir);
    this.#bus = bus;
    this.jobOf = jobOf;
  }

  start(): void {
    this.scan();
    this.#timer = setInterval(() => this.scan(), scanMs);
  }

  /** Ends scanning, and waits for the answers of agents. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([...this.#known.values()].flatMap(({ asking }) => asking ?? []));
  }

  /** What is known, by name. Counts as a look, which makes it newer. */
  list(): readonly GuestView[] {
    this.#lookedMs = performance.now();
    return this.views();
  }

  views(): readonly GuestView[] {
    return [...this.#known.values()].map(({ view }) => view).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Somebody looks until the returned function is called. */
  look(): () => void {
    this.#lookers += 1;
    return () => {
      this.#lookers -= 1;
    };
  }

  /** Where a guest is; undefined for an unknown one. */
  locationOf(name: string): GuestLocation | undefined {
    return this.#known.get(name)?.location;
  }

  /** Waits until this process does not use the guest's control port. It does not begin to while a job has the guest. */
  async free(name: string): Promise<void> {
    await this.#known.get(name)?.asking;
  }

  /** Looks for guests now. Never throws. */
  scan(): void {
    const found = findGuests(this.#dir);
    const before = JSON.stringify(this.views());
    for (const [name, known] of this.#known)
      if (!found.has(name) && known.asking === undefined) this.#known.delete(name);
    for (const [name, location] of found) {
      let known = this.#known.get(name);
      if (known === undefined) {
        const dir = join(location.dir, location.guest ?? '');
        const view: GuestView = {
          name,
          dir,
          state: 'gone',
          agent: null,
          cpus: 0,
          lostBytes: 0,
          job: null,
          why: null,
        };
        known = { location, view, askedMs: Number.NEGATIVE_INFINITY, asking: undefined };
        this.#known.set(name, known);
      }
      if (known.asking === undefined) this.#look(name, known);
    }
    if (JSON.stringify(this.views()) !== before) this.#bus.changed('guests');
  }

  #look(name: string, known: Known): void {
    let guest: GuestDir | undefined;
    try {
      guest = GuestDir.open(known.location, true);
      const cpus = guest.cpus.length;
      const job = this.jobOf(name);
      if (job !== undefined) {
        known.view = { ...known.view, cpus, state: 'recording', job, why: null };
        return;
      }
      known.view = { ...known.view, cpus, job: null };
      if (this.#isShown(name)) {
        known.view = { ...known.view, state: 'tracing', why: null };
        return;
      }
      const holder = guest.lockedBy();
      if (holder !== undefined) {
        const why = `another trace-host (process ${holder}) uses its control port`;
        known.view = { ...known.view, state: 'recording', why };
        return;
      }
      const nowMs = performance.now();
      const isSeen = this.#lookers > 0 || nowMs - this.#lookedMs < lookMs;
      if (nowMs - known.askedMs < (isSeen ? askMs.looked : askMs.unseen)) return;
      known.askedMs = nowMs;
      const asked = guest;
      guest = undefined;
      known.asking = this.#ask(asked, known).finally(() => {
        known.asking = undefined;
        this.#bus.changed('guests');
      });
    } catch (cause) {
      known.view = { ...known.view, state: 'gone', agent: null, why: reasonOf(cause) };
    } finally {
      guest?.close();
    }
  }

  async #ask(guest: GuestDir, known: Known): Promise<void> {
    let client: ControlClient | undefined;
    try {
      client = await ControlClient.open(guest, { timeoutMs: statusTimeoutMs });
      const status = await client.status();
      known.view = { ...known.view, ...viewOf(status), why: null };
    } catch (cause) {
      known.view = { ...known.view, state: 'gone', agent: null, why: reasonOf(cause) };
    } finally {
      client?.close();
      guest.close();
    }
  }
}

function viewOf({
  version,
  uptimeMs,
  state,
  cpus,
}: StatusAnswer): Pick<GuestView, 'state' | 'agent' | 'lostBytes'> {
  const all = Object.values(cpus);
  const sum = (count: (cpu: (typeof all)[number]) => number): number =>
    all.reduce((total, cpu) => total + count(cpu), 0);
  return {
    state: state === 'stopped' ? 'stopped' : 'tracing',
    agent: { version, uptimeMs, restarts: sum((cpu) => cpu.restarts) },
    lostBytes: sum((cpu) => cpu.bytesLost),
  };
}

/** @throws what is a bug */
function reasonOf(cause: unknown): string {
  if (cause instanceof Failure)
    return cause.remedy === '' || cause.exitCode === exitCode.failed
      ? cause.message
      : `${cause.message} — ${cause.remedy}`;
  // the directory vanished meanwhile
  const code = errnoOf(cause);
  if (code !== '') return `its directory cannot be read: ${code}`;
  throw cause;
}

/** The guests in a directory, and the one that it belongs to itself, by name. Unreadable ones are left out. */
export function findGuests(dir: string): Map<string, GuestLocation> {
  const found = new Map<string, GuestLocation>();
  const names = namesIn(dir);
  const add = (name: string, holding: string): void => {
    if (found.size < maxGuests && /^[A-Za-z0-9_][\w.-]{0,63}$/.test(name) && !found.has(name))
      found.set(name, { dir: holding, guest: name });
  };
  for (const name of names.sort()) if (isGuest(namesIn(join(dir, name)))) add(name, dir);
  if (isGuest(names)) add(basename(dir), dirname(dir));
  return found;
}

function isGuest(names: readonly string[]): boolean {
  return guestMarks.some((mark) => names.includes(mark));
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}
