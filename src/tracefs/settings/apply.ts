import { errorCode } from '../../base/error-code.ts';
import { Applied } from './applied.ts';
import { attempt } from './attempt.ts';
import { setEventFilter, setSystemFilter } from './event-filters.ts';
import { type EventSpec, formatEventSpec, parseEventSpec } from '../../protocol/event-name.ts';
import { cpusOfMask, maskOfCpus } from './cpu-mask.ts';
import { setTriggers } from './event-triggers.ts';
import { setFunctions } from './function-filters.ts';
import { functionFields } from './function-lists.ts';
import { subBuffersOf } from '../ring-files.ts';
import { SettingsError } from './settings-error.ts';
import { checkSettings, needsClosedRings, type TraceSettings, wantsTracing } from './settings.ts';
import { setPids } from './task-filter.ts';
import { canRecordTgids, thisMachine } from '../metadata/task-names.ts';
import { copyMarkers, takePrintk } from './top-level-lines.ts';
import { Tracefs } from '../tracefs.ts';

/**
 * Checks the settings and applies them; tracing begins with the last write. When the kernel refuses one, everything
 * is restored and a SettingsError with the kernel's own words is thrown. Blocks for a few milliseconds, or up to a few
 * hundred for a whole event system. A new clock empties the rings; a smaller size drops pages.
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
    throw new SettingsError(error.code, `${error.message}; not restored: ${left}`, { cause: error });
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
  if (settings.subBufferKb !== undefined) setSubBufferSize(tracefs, applied, settings.subBufferKb);
  if (settings.bufferKb !== undefined) setBufferSize(tracefs, applied, settings.bufferKb);
  if (settings.bufferPercent !== undefined) setBufferPercent(tracefs, applied, settings.bufferPercent);
  if (settings.cpuMask !== undefined) setCpuMask(tracefs, applied, settings.cpuMask);
  if (settings.pids !== undefined) {
    setPids(tracefs, applied, settings.pids, settings.tracer ?? tracefs.currentTracer());
  }
  if (settings.children === true) followChildren(tracefs, applied);
  for (const [option, on] of Object.entries(settings.options ?? {})) {
    setOption(tracefs, applied, option, on);
  }
  // The kernel trims a filter, and shows it trimmed.
  const filters = Object.entries(settings.filters ?? {}).map(([name, filter]) => ({
    spec: specOf(name),
    filter: filter.trim(),
  }));
  // The filter of a system overwrites the filters of its events, so the filters of events are set afterwards.
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
  if (settings.maxGraphDepth !== undefined) setGraphDepth(tracefs, applied, settings.maxGraphDepth);
  if (settings.tracer !== undefined) setTracer(tracefs, applied, settings.tracer);
  const triggers = Object.entries(settings.triggers ?? {});
  if (triggers.length > 0) {
    // if the rings have to be closed, tracing_on is restored last in any case
    if (!applied.needsClosedRings)
      applied.remember('restore', 'tracing_on', () => setSwitch(tracefs, 'tracing_on', wasOn));
    const { current } = tracefs.clocks();
    for (const [name, each] of triggers) setTriggers(tracefs, applied, specOf(name), each);
    // A hist trigger that uses times changes the clock.
    if (current !== undefined && tracefs.clocks().current !== current) tracefs.write('trace_clock', current);
  }
  const wantsOn = wantsTracing(settings);
  // The processes of tasks are only recorded for events that are enabled while options/record-tgid is on.
  if (wantsOn) recordTgids(tracefs, applied);
  const off = new Set((settings.eventsOff ?? []).flatMap((name) => eventFilesOf(tracefs, specOf(name))));
  for (const file of off) disableEvent(tracefs, applied, file);
  for (const name of settings.events ?? []) enableEvents(tracefs, applied, specOf(name), off);
  if (wantsOn && !wasOn) {
    applied.remember('quiesce', 'tracing_on', () => setSwitch(tracefs, 'tracing_on', false));
    attempt('failed', 'tracing', () => setSwitch(tracefs, 'tracing_on', true));
  }
  if (settings.printk === true) takePrintk(tracefs, applied);
  // If a trigger switched off tracing in an instance that gets copies of markers, programs could not write markers any
  // more.
  const canEnd = triggers.some(([, each]) => each.some((trigger) => trigger.trim().startsWith('traceoff')));
  if (wantsOn && !canEnd) copyMarkers(tracefs, applied);
}

function setClock(tracefs: Tracefs, applied: Applied, clock: string): void {
  const old = tracefs.clocks().current;
  if (old === undefined || old === clock) return;
  applied.remember('restore', 'trace_clock', () => {
    // Writing the clock empties the rings, even if it is the same clock.
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
    // After a write, the first event no longer expands a ring, so the old state cannot be restored. The expanded size
    // is the closest to it.
    const oldText = String(old.expandedKb ?? old.kb);
    applied.remember('restore', 'buffer_size_kb', () => tracefs.write('buffer_size_kb', oldText));
  }
  attempt('bad-value', `bufferKb ${bufferKb} on each CPU`, () =>
    tracefs.write('buffer_size_kb', String(bufferKb)),
  );
}

function setBufferPercent(tracefs: Tracefs, applied: Applied, percent: number): void {
  setValue(tracefs, applied, 'buffer_percent', percent, 'bufferPercent');
}

function setSubBufferSize(tracefs: Tracefs, applied: Applied, subBufferKb: number): void {
  setValue(tracefs, applied, 'buffer_subbuf_size_kb', subBufferKb, 'subBufferKb');
}

function setCpuMask(tracefs: Tracefs, applied: Applied, mask: string): void {
  setValue(tracefs, applied, 'tracing_cpumask', maskOfCpus(cpusOfMask(mask, tracefs.cpus())), 'cpuMask');
}

function setOption(tracefs: Tracefs, applied: Applied, option: string, on: boolean): void {
  setValue(tracefs, applied, `options/${option}`, on ? '1' : '0', `option ${option}`);
}

function followChildren(tracefs: Tracefs, applied: Applied): void {
  for (const option of ['event-fork', 'function-fork'])
    if (tracefs.readIfThere(`options/${option}`) !== undefined) setOption(tracefs, applied, option, true);
}

function setGraphDepth(tracefs: Tracefs, applied: Applied, depth: number): void {
  // All instances share max_graph_depth, except on the newest kernels.
  const owner = tracefs.readIfThere('max_graph_depth') === undefined ? new Tracefs(tracefs.root) : tracefs;
  setValue(owner, applied, 'max_graph_depth', depth, 'maxGraphDepth');
}

function setValue(
  tracefs: Tracefs,
  applied: Applied,
  file: string,
  value: number | string,
  name: string,
): void {
  rememberText(tracefs, applied, file);
  attempt('bad-value', `${name} (${file}) ${value}`, () => tracefs.write(file, String(value)));
}

/** Remembers the text of a file that can be written back unchanged. */
function rememberText(tracefs: Tracefs, applied: Applied, file: string): void {
  const old = tracefs.read(file).trim();
  // The CPU was never online and has no ring: nothing to restore, and the kernel refuses 0.
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

function recordTgids(tracefs: Tracefs, applied: Applied): void {
  const file = 'options/record-tgid';
  if (tracefs.readIfThere(file)?.trim() !== '0' || !canRecordTgids(thisMachine())) return;
  applied.remember('restore', file, () => setSwitch(tracefs, file, false));
  try {
    setSwitch(tracefs, file, true);
  } catch (error) {
    // Ignore ENOMEM: the trace is useful without tgids.
    if (errorCode(error) !== 'ENOMEM') throw error;
  }
}

function setSwitch(tracefs: Tracefs, file: string, on: boolean): void {
  tracefs.write(file, on ? '1' : '0');
}

/** Enables the events of `spec`, except those in `off`, which are not enabled even for a moment. */
function enableEvents(tracefs: Tracefs, applied: Applied, spec: EventSpec, off: ReadonlySet<string>): void {
  const all = eventFilesOf(tracefs, spec);
  // The file contains `1`, or `1*` when a trigger uses the event too.
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
  // not in `quiesce`, because an enabled event would fill the rings again
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
