import { readFileSync } from 'node:fs';
import type { TraceRequest } from '../../protocol/control.ts';
import { formatEventSpec, parseEventSpec } from '../../protocol/event-name.ts';
import { maxBufferKb, maxCommandBytes } from '../../protocol/trace-request.ts';
import { cpusOfMask } from './cpu-mask.ts';
import { type FunctionField, functionFields } from './function-lists.ts';
import { nearNames } from '../../base/near-names.ts';
import { SettingsError, type SettingsErrorCode } from './settings-error.ts';
import { checkPids } from './task-filter.ts';
import { Tracefs } from '../tracefs.ts';

/**
 * The settings of a trace; omitted settings stay unchanged. `sched/sched_switch` is accepted for
 * `sched:sched_switch`.
 */
export type TraceSettings = Omit<TraceRequest, 'instance' | 'keep'>;

/** Set in the instance that receives trace_printk; kernel 6.12 and later. */
export const printkDest = 'options/trace_printk_dest';
/** The share of available memory that rings may take. */
const largestShare = 0.75;

/**
 * Throws a SettingsError for the first setting that this kernel does not support. Changes nothing and does not block.
 */
export function checkSettings(tracefs: Tracefs, settings: TraceSettings): void {
  for (const name of [...(settings.events ?? []), ...(settings.eventsOff ?? [])]) checkEvent(tracefs, name);
  for (const [name, filter] of Object.entries(settings.filters ?? {})) {
    checkEvent(tracefs, name);
    checkFilter(name, filter);
  }
  if (settings.tracer !== undefined) checkTracer(tracefs, settings.tracer);
  if (settings.graphFunctions !== undefined) checkTracer(tracefs, 'function_graph');
  for (const field of functionFields) for (const name of settings[field] ?? []) checkFunction(field, name);
  if (settings.clock !== undefined) {
    checkListed('unknown-clock', 'clock', settings.clock, tracefs.clocks().available);
  }
  if (settings.bufferKb !== undefined) checkBufferKb(settings.bufferKb, tracefs.cpus().length);
  if (settings.subBufferKb !== undefined && tracefs.readIfThere('buffer_subbuf_size_kb') === undefined) {
    throw new SettingsError('bad-value', 'subBufferKb: this kernel (before 6.8) has one size of sub-buffers');
  }
  for (const option of Object.keys(settings.options ?? {})) checkOption(tracefs, option);
  for (const name of Object.keys(settings.triggers ?? {})) checkEvent(tracefs, name);
  if (settings.pids !== undefined) checkPids(settings.pids);
  if (settings.cpuMask !== undefined) checkCpuMask(settings.cpuMask, tracefs.cpus());
  if (settings.maxGraphDepth !== undefined) checkGraphDepth(tracefs);
  if (settings.bufferPercent !== undefined) {
    checkRange('bufferPercent', settings.bufferPercent, 0, 100);
    if (tracefs.bufferPercent() === undefined) {
      throw new SettingsError('bad-value', 'bufferPercent: this kernel (before 5.0) has no buffer_percent');
    }
  }
  if (settings.printk === true) checkPrintk(tracefs);
}

/**
 * The kernel allocates the pages of all rings during the write, so too large a size would block the agent while the
 * kernel looks for memory.
 */
function checkBufferKb(bufferKb: number, rings: number): void {
  checkRange('bufferKb', bufferKb, 1, maxBufferKb);
  const availableKb = memoryAvailableKb();
  if (availableKb === undefined || bufferKb * rings <= availableKb * largestShare) return;
  throw new SettingsError(
    'bad-value',
    `bufferKb: ${rings} rings of ${bufferKb} KB exceed ${largestShare * 100} % of the ${availableKb} KB of available memory`,
  );
}

/** Available memory in KB; undefined where /proc is not mounted. */
function memoryAvailableKb(): number | undefined {
  try {
    const found = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'));
    return found?.[1] === undefined ? undefined : Number(found[1]);
  } catch {
    return undefined;
  }
}

/**
 * Checks that trace_printk can be redirected to this instance. The top level receives it on all kernels, unless
 * another instance takes it.
 */
function checkPrintk(tracefs: Tracefs): void {
  if (tracefs.instance === undefined || tracefs.readIfThere(printkDest) !== undefined) return;
  throw new SettingsError(
    'bad-value',
    `printk: this kernel (before 6.12) writes trace_printk to the top level only, not to an instance such as ${tracefs.instance}`,
  );
}

function checkEvent(tracefs: Tracefs, name: string): void {
  const spec = parseEventSpec(name);
  if (spec && tracefs.isSwitchable(spec.system, spec.event)) return;
  const shown = JSON.stringify(name.slice(0, 80));
  if (spec && tracefs.hasEvent(spec.system, spec.event)) {
    throw new SettingsError(
      'unknown-event',
      `${shown} cannot be enabled: it is written by tracers and is not an event of its own`,
    );
  }
  const known = spec?.event === undefined ? [...tracefs.systems(), ...tracefs.events()] : tracefs.events();
  const near = nearNames(spec ? formatEventSpec(spec) : name, known);
  const hint = near.length > 0 ? `; did you mean ${near.join(' or ')}?` : '';
  throw new SettingsError('unknown-event', `this kernel has no event ${shown}${hint}`);
}

function checkFilter(name: string, filter: string): void {
  if (filter.trim() === '') throw new SettingsError('bad-filter', `the filter of ${name} is empty`);
  if (Buffer.byteLength(filter) > maxCommandBytes) {
    throw new SettingsError('bad-filter', `the filter of ${name} is longer than ${maxCommandBytes} bytes`);
  }
  // The kernel would ignore everything from such a character on.
  if (/[\n\0]/.test(filter))
    throw new SettingsError('bad-filter', `the filter of ${name} contains a line break or NUL`);
}

/**
 * Checks that the instance has the tracer. An instance has fewer tracers than the top level; for example, it has no
 * function_graph before Linux 6.12.
 */
function checkTracer(tracefs: Tracefs, tracer: string): void {
  const known = tracefs.availableTracers();
  if (tracefs.instance !== undefined && !known.includes(tracer)) {
    if (new Tracefs(tracefs.root).availableTracers().includes(tracer)) {
      throw new SettingsError(
        'unknown-tracer',
        `this kernel has the tracer ${tracer} at the top level only, not in an instance such as ${tracefs.instance}`,
      );
    }
  }
  checkListed('unknown-tracer', 'tracer', tracer, known);
}

/** Options that are set together with other settings and restored at the right time (top-level-lines.ts). */
const ownOptions: readonly string[] = ['copy_trace_marker', 'trace_printk_dest'];

function checkOption(tracefs: Tracefs, option: string): void {
  if (ownOptions.includes(option))
    throw new SettingsError(
      'bad-value',
      `option ${option} cannot be set directly: it depends on what is traced, and on the setting printk`,
    );
  const known = tracefs.options();
  if (known.includes(option)) return;
  const where = tracefs.instance === undefined ? '' : ` in an instance such as ${tracefs.instance}`;
  const near = nearNames(option, known);
  const hint = near.length > 0 ? `; did you mean ${near.join(' or ')}?` : '';
  const shown = JSON.stringify(option.slice(0, 80));
  throw new SettingsError('unknown-option', `this kernel has no trace option ${shown}${where}${hint}`);
}

function checkCpuMask(mask: string, possible: readonly number[]): void {
  const cpus = cpusOfMask(mask, possible);
  const absent = cpus.find((cpu) => !possible.includes(cpu));
  if (absent !== undefined)
    throw new SettingsError(
      'bad-value',
      `cpuMask ${mask} has CPU ${absent}; this machine has ${possible.join(', ')}`,
    );
  if (cpus.length === 0) throw new SettingsError('bad-value', `cpuMask ${mask} selects no CPU`);
}

function checkGraphDepth(tracefs: Tracefs): void {
  if (new Tracefs(tracefs.root).readIfThere('max_graph_depth') !== undefined) return;
  throw new SettingsError('bad-value', 'maxGraphDepth: this kernel has no function_graph tracer');
}

function checkFunction(field: FunctionField, name: string): void {
  // Whitespace ends a name, "!" removes an entry, and "name:command" would set a trigger that stays.
  if (/^[^\s\0!#:][^\s\0:]*$/.test(name)) return;
  if (field !== 'graphFunctions' && /^([^\s\0!#:][^\s\0:]*)?:mod:[^\s\0:]+$/.test(name)) return;
  throw new SettingsError(
    'bad-value',
    `${field}: ${JSON.stringify(name.slice(0, 80))} is not a function or a pattern`,
  );
}

function checkListed(code: SettingsErrorCode, what: string, name: string, known: readonly string[]): void {
  if (known.includes(name)) return;
  throw new SettingsError(
    code,
    `this kernel has no ${what} ${JSON.stringify(name.slice(0, 80))}; it has ${known.join(', ')}`,
  );
}

function checkRange(what: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new SettingsError('bad-value', `${what} is ${value}, not a whole number from ${min} to ${max}`);
}

/**
 * Whether these settings can only be applied while no process has a ring of the instance open: otherwise the kernel
 * answers EBUSY to a new tracer, and a new sub-buffer size ends a read in progress. Clock and ring sizes change
 * under an open ring (seen on 6.18; a new clock empties it).
 */
export function needsClosedRings(tracefs: Tracefs, settings: TraceSettings): boolean {
  if (settings.subBufferKb !== undefined) return true;
  return settings.tracer !== undefined && settings.tracer !== tracefs.currentTracer();
}

/** Whether the settings enable something; otherwise they only change how to trace. */
export function wantsTracing({ tracer, events = [] }: TraceSettings): boolean {
  return tracer !== undefined || events.length > 0;
}
