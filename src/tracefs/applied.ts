import { errorCode } from '../error-code.ts';
import { lastKernelError } from './error-log.ts';
import { type EventSpec, formatEventSpec, parseEventSpec } from './event-spec.ts';
import { type FunctionField, functionFields, functionFiles, listedFunctions } from './function-lists.ts';
import { subBuffersOf } from './ring-files.ts';
import {
  checkSettings,
  needsClosedRings,
  SettingsError,
  type TraceSettings,
  wantsTracing,
} from './settings.ts';
import { canRecordTgids, thisMachine } from './task-names.ts';
import { Tracefs } from './tracefs.ts';

/** A tracefs file that did not take its old value back, and the errno's name. */
export interface RestoreFailure {
  readonly file: string;
  readonly errno: string;
}

interface Undo {
  readonly file: string;
  readonly run: () => void;
}

/**
 * Settings in force, and the old value of everything that was changed for them. Put back in two steps, as the
 * rings are to be emptied between them: `quiesce` ends what fills them, `restore` does what would lose their
 * content (a new clock empties a ring, a smaller one drops pages) or needs them closed (a tracer).
 */
export class Applied {
  /** Whether `restore` needs every ring of the instance closed; else the kernel says EBUSY to the old tracer. */
  readonly needsClosedRings: boolean;
  readonly #quiet: Undo[] = [];
  readonly #rest: Undo[] = [];

  constructor(needsClosed: boolean) {
    this.needsClosedRings = needsClosed;
  }

  /** To be called before the change; the last one remembered is the first one put back. */
  remember(step: 'quiesce' | 'restore', file: string, run: () => void): void {
    (step === 'quiesce' ? this.#quiet : this.#rest).push({ file, run });
  }

  /**
   * Puts events, filters and `tracing_on` back. Settings with a tracer leave tracing off until `restore`, as the
   * tracer itself cannot be taken away while the rings are open. Goes on past failures and returns them; what
   * failed is tried again at the next call, what is done is not done twice.
   */
  quiesce(): RestoreFailure[] {
    return unwind(this.#quiet);
  }

  /** As `quiesce` (which it begins with), then tracer, clock, sizes and percentage. */
  restore(): RestoreFailure[] {
    return [...unwind(this.#quiet), ...unwind(this.#rest)];
  }
}

function unwind(undos: Undo[]): RestoreFailure[] {
  const failures: RestoreFailure[] = [];
  const failed: Undo[] = [];
  for (const undo of undos.splice(0).toReversed()) {
    try {
      undo.run();
    } catch (error) {
      const errno = errorCode(error);
      if (errno === '') throw error;
      // An event whose module was unloaded, an instance that was removed: nothing is left to put back.
      if (errno === 'ENOENT' || errno === 'ENODEV') continue;
      failed.unshift(undo);
      failures.push({ file: undo.file, errno });
    }
  }
  undos.push(...failed);
  return failures;
}

/**
 * Checks the settings and puts them in force; tracing begins with the last write. When the kernel refuses one, all
 * is put back and a SettingsError with the kernel's own words is thrown. Blocks for some milliseconds (a whole
 * system of events: up to some hundred). A new clock empties the rings, a smaller size drops pages of them.
 */
export function applySettings(tracefs: Tracefs, settings: TraceSettings): Applied {
  checkSettings(tracefs, settings);
  const applied = new Applied(needsClosedRings(tracefs, settings));
  try {
    applyAll(tracefs, settings, applied);
  } catch (error) {
    const failures = applied.restore();
    if (!(error instanceof SettingsError) || failures.length === 0) throw error;
    const left = failures.map(({ file, errno }) => `${file} (${errno})`).join(', ');
    throw new SettingsError(error.code, `${error.message}; not put back: ${left}`, { cause: error });
  }
  return applied;
}

function applyAll(tracefs: Tracefs, settings: TraceSettings, applied: Applied): void {
  const wasOn = tracefs.tracingOn();
  if (applied.needsClosedRings) {
    applied.remember('restore', 'tracing_on', () => setSwitch(tracefs, 'tracing_on', wasOn));
    applied.remember('quiesce', 'tracing_on', () => setSwitch(tracefs, 'tracing_on', false));
  }
  if (settings.clock !== undefined) setClock(tracefs, applied, settings.clock);
  if (settings.bufferKb !== undefined) setBufferSize(tracefs, applied, settings.bufferKb);
  if (settings.bufferPercent !== undefined) setBufferPercent(tracefs, applied, settings.bufferPercent);
  const filters = Object.entries(settings.filters ?? {}).map(([name, filter]) => ({
    spec: specOf(name),
    filter,
  }));
  // A system's filter overwrites those of its events, so the events' own come after it.
  for (const { spec, filter } of filters.filter((each) => each.spec.event === undefined)) {
    setSystemFilter(tracefs, applied, spec, filter);
  }
  for (const { spec, filter } of filters.filter((each) => each.spec.event !== undefined)) {
    setEventFilter(tracefs, applied, spec, filter);
  }
  for (const field of functionFields) {
    const functions = settings[field];
    if (functions !== undefined) setFunctions(tracefs, applied, field, functions);
  }
  if (settings.tracer !== undefined) setTracer(tracefs, applied, settings.tracer);
  const wantsOn = wantsTracing(settings);
  // Processes are recorded by events that are enabled while this is on.
  if (wantsOn) recordTgids(tracefs, applied);
  const off = new Set((settings.eventsOff ?? []).flatMap((name) => eventFilesOf(tracefs, specOf(name))));
  for (const file of off) disableEvent(tracefs, applied, file);
  for (const name of settings.events ?? []) enableEvents(tracefs, applied, specOf(name), off);
  if (wantsOn && !wasOn) {
    applied.remember('quiesce', 'tracing_on', () => setSwitch(tracefs, 'tracing_on', false));
    attempt('failed', 'tracing', () => setSwitch(tracefs, 'tracing_on', true));
  }
}

function setClock(tracefs: Tracefs, applied: Applied, clock: string): void {
  const old = tracefs.clocks().current;
  if (old === undefined || old === clock) return;
  applied.remember('restore', 'trace_clock', () => {
    // Writing even the same clock empties the rings.
    if (tracefs.clocks().current !== old) tracefs.write('trace_clock', old);
  });
  attempt('unknown-clock', `clock ${clock}`, () => tracefs.write('trace_clock', clock));
}

function setBufferSize(tracefs: Tracefs, applied: Applied, bufferKb: number): void {
  const { dataBytes } = tracefs.pageLayout();
  const old = tracefs.bufferSize();
  if (old.kb !== undefined && old.expandedKb === undefined) {
    if (subBuffersOf(old.kb, dataBytes) === subBuffersOf(bufferKb, dataBytes)) return;
  }
  if (old.kb === undefined) {
    for (const cpu of tracefs.cpus()) rememberText(tracefs, applied, `per_cpu/cpu${cpu}/buffer_size_kb`);
  } else {
    // Once written, a size is never again "to be expanded" by the first event; what it would have become then is
    // the nearest to how it was.
    const oldText = String(old.expandedKb ?? old.kb);
    applied.remember('restore', 'buffer_size_kb', () => tracefs.write('buffer_size_kb', oldText));
  }
  attempt('bad-value', `bufferKb ${bufferKb} on each CPU`, () =>
    tracefs.write('buffer_size_kb', String(bufferKb)),
  );
}

function setBufferPercent(tracefs: Tracefs, applied: Applied, percent: number): void {
  rememberText(tracefs, applied, 'buffer_percent');
  attempt('bad-value', `bufferPercent ${percent}`, () => tracefs.write('buffer_percent', String(percent)));
}

/** Of a file whose text, written to it, is its value. */
function rememberText(tracefs: Tracefs, applied: Applied, file: string): void {
  const old = tracefs.read(file).trim();
  // The size of a ring that never was, as its CPU never came online: nothing to put back, and 0 is refused.
  if (old === '0' && file.endsWith('buffer_size_kb')) return;
  applied.remember('restore', file, () => {
    if (tracefs.read(file).trim() !== old) tracefs.write(file, old);
  });
}

function setTracer(tracefs: Tracefs, applied: Applied, tracer: string): void {
  const old = tracefs.currentTracer();
  if (old === tracer) return;
  applied.remember('restore', 'current_tracer', () => {
    if (tracefs.currentTracer() !== old) tracefs.write('current_tracer', old);
  });
  attempt('unknown-tracer', `tracer ${tracer}`, () => tracefs.write('current_tracer', tracer));
}

/** The kernel compares each name with all functions it has. */
const maxListed = 4096;

/** In force before the tracer is, and until it is gone. */
function setFunctions(
  tracefs: Tracefs,
  applied: Applied,
  field: FunctionField,
  functions: readonly string[],
): void {
  const file = functionFiles[field];
  // All instances share what function_graph follows.
  const owner = field === 'graphFunctions' ? new Tracefs(tracefs.root) : tracefs;
  attempt('failed', `${field} (${file})`, () => {
    const old = owner.read(file);
    const listed = listedFunctions(field, old);
    if (listed.length > maxListed) {
      throw new SettingsError(
        'busy',
        `${file} has ${listed.length} functions already, more than the ${maxListed} that could be put back; empty it first`,
      );
    }
    applied.remember('restore', file, () => {
      // A trigger's own count may be another by now.
      if (listedFunctions(field, owner.read(file)).join() === listed.join()) return;
      owner.writeList(file, listed, writeIfKnown);
    });
    owner.writeList(file, functions, (name, write) =>
      attempt('unknown-function', `${field} ${JSON.stringify(name)}`, write, (errno) =>
        errno === 'EINVAL' ? 'this kernel has no such function to trace' : undefined,
      ),
    );
  });
}

/** A function that went with its module is not to be put back. */
function writeIfKnown(_name: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    if (errorCode(error) !== 'EINVAL') throw error;
  }
}

function recordTgids(tracefs: Tracefs, applied: Applied): void {
  const file = 'options/record-tgid';
  if (tracefs.readIfThere(file)?.trim() !== '0' || !canRecordTgids(thisMachine())) return;
  applied.remember('restore', file, () => setSwitch(tracefs, file, false));
  try {
    setSwitch(tracefs, file, true);
  } catch (error) {
    // Short of memory: the trace is worth having without.
    if (errorCode(error) !== 'ENOMEM') throw error;
  }
}

function setSwitch(tracefs: Tracefs, file: string, on: boolean): void {
  tracefs.write(file, on ? '1' : '0');
}

function setEventFilter(tracefs: Tracefs, applied: Applied, spec: EventSpec, filter: string): void {
  const file = filterFile(spec);
  const old = tracefs.read(file);
  applied.remember('quiesce', file, () => putFilterBack(tracefs, file, old));
  writeFilter(tracefs, spec, filter);
}

/**
 * The kernel sets it for each event that has the fields, and takes the filters of the others away. It answers no
 * error even when not one event took it (seen on 6.18), so that is looked up in the events' own files.
 */
function setSystemFilter(tracefs: Tracefs, applied: Applied, spec: EventSpec, filter: string): void {
  const file = filterFile(spec);
  const old = tracefs.read(file);
  const eventFiles: string[] = [];
  for (const event of tracefs.eventsOf(spec.system)) {
    const eventFile = filterFile({ ...spec, event });
    const oldOfEvent = tracefs.readIfThere(eventFile);
    if (oldOfEvent === undefined) continue;
    eventFiles.push(eventFile);
    applied.remember('quiesce', eventFile, () => putFilterBack(tracefs, eventFile, oldOfEvent));
  }
  applied.remember('quiesce', file, () => putFilterBack(tracefs, file, old));
  writeFilter(tracefs, spec, filter);
  if (eventFiles.some((eventFile) => tracefs.readIfThere(eventFile)?.trim() === filter)) return;
  throw new SettingsError('bad-filter', `filter of ${spec.system} refused: no event of it takes "${filter}"`);
}

function writeFilter(tracefs: Tracefs, spec: EventSpec, filter: string): void {
  attempt(
    'bad-filter',
    `filter of ${formatEventSpec(spec)}`,
    () => tracefs.write(filterFile(spec), filter),
    () => {
      const last = lastKernelError(tracefs.readIfThere('error_log') ?? '');
      if (last?.command !== filter) return undefined;
      return `${last.words}, at character ${last.column + 1} of "${filter}"`;
    },
  );
}

function filterFile({ system, event }: EventSpec): string {
  return event === undefined ? `events/${system}/filter` : `events/${system}/${event}/filter`;
}

function putFilterBack(tracefs: Tracefs, file: string, old: string): void {
  if (tracefs.read(file) === old) return;
  const [expression = '', ...more] = old.trimEnd().split('\n');
  // `none`, and the legend that a system without a filter shows.
  if (expression === 'none' || expression.startsWith('###')) {
    tracefs.write(file, '0');
    return;
  }
  try {
    tracefs.write(file, expression);
  } catch (error) {
    // A refused expression stays in its file with the complaint below it, and no filter in force. Refused again
    // is how it was.
    if (more.length === 0 || errorCode(error) !== 'EINVAL') throw error;
  }
}

/** Without those of `off`, which are not on for a moment either. */
function enableEvents(tracefs: Tracefs, applied: Applied, spec: EventSpec, off: ReadonlySet<string>): void {
  const all = eventFilesOf(tracefs, spec);
  // `1`, or `1*` for one that a trigger holds as well.
  const files = all.filter((file) => !off.has(file) && tracefs.readIfThere(file)?.startsWith('0') === true);
  if (files.length === 0) return;
  for (const file of files) applied.remember('quiesce', file, () => setSwitch(tracefs, file, false));
  const whole = spec.event === undefined && !all.some((file) => off.has(file));
  for (const file of whole ? [`events/${spec.system}/enable`] : files) {
    attempt('failed', `event ${formatEventSpec(spec)}`, () => setSwitch(tracefs, file, true));
  }
}

function disableEvent(tracefs: Tracefs, applied: Applied, file: string): void {
  if (tracefs.readIfThere(file)?.startsWith('1') !== true) return;
  // Not at quiesce: it would fill the rings again.
  applied.remember('restore', file, () => setSwitch(tracefs, file, true));
  attempt('failed', file, () => setSwitch(tracefs, file, false));
}

function eventFilesOf(tracefs: Tracefs, { system, event }: EventSpec): string[] {
  const events = event === undefined ? tracefs.eventsOf(system) : [event];
  return events.map((name) => `events/${system}/${name}/enable`);
}

function specOf(name: string): EventSpec {
  const spec = parseEventSpec(name);
  if (!spec) throw new Error(`event name ${name} passed the check`);
  return spec;
}

/**
 * One change. EINVAL and ENOMEM mean that this value will not do (`refused` names the kind); EBUSY, that something
 * uses what would change; any other errno is the machine's trouble.
 */
function attempt(
  refused: SettingsError['code'],
  what: string,
  change: () => void,
  kernelWords?: (errno: string) => string | undefined,
): void {
  try {
    change();
  } catch (error) {
    const errno = error instanceof SettingsError ? '' : errorCode(error);
    if (errno === '') throw error;
    const cause = { cause: error };
    if (errno === 'EBUSY') {
      throw new SettingsError('busy', `${what} refused: EBUSY, something has the ring open or mapped`, cause);
    }
    const code = errno === 'EINVAL' || errno === 'ENOMEM' ? refused : 'failed';
    throw new SettingsError(code, `${what} refused: ${kernelWords?.(errno) ?? errno}`, cause);
  }
}
