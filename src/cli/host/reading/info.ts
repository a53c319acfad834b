import { type ExitCode, exitCode } from '../../../base/failure.ts';
import { type BufferInfo, infoAsJson, readInfo, type TraceInfo } from '../../../trace/info.ts';
import type { TracedGuest } from '../../../trace/dat/guest-option.ts';
import type { RecordedPause } from '../../../trace/dat/pause-note.ts';
import type { ShiftSample, TimeShift } from '../../../trace/dat/time-shift.ts';
import { json as jsonText, printable } from '../../../base/quoted.ts';
import { qualityText, rateText } from '../../report/clock-report.ts';
import { duration } from '../../report/summary-report.ts';
import { noSymbolsText, stepsBackText, unseenText } from '../../report/convert-report.ts';
import { counted, humanBytes, signedSeconds, table } from '../../report/human.ts';

/** Maximum number of event names to list. */
const namesMax = 20;

/** Prints a summary of a trace.dat or a recording. Throws Failure. */
export async function runInfo(path: string, json: boolean): Promise<ExitCode> {
  const info = await readInfo(path);
  process.stdout.write(json ? `${jsonText(infoAsJson(info))}\n` : textOf(info));
  return exitCode.done;
}

function textOf(info: TraceInfo): string {
  const { path, format, totalBytes, uname, writer, symbols, unseen } = info;
  const kind =
    format === undefined ? 'recording' : `trace.dat version ${format.version}, ${compressionOf(format)}`;
  const lines = [`${printable(path)}: ${kind}, ${humanBytes(totalBytes)}`];
  if (uname !== '') lines.push(`guest      ${printable(uname)}`);
  if (writer !== '') lines.push(`written by ${printable(writer)}`);
  lines.push(`page size  ${info.pageBytes} bytes; ${info.eventFormats} event formats`);
  for (const guest of info.guests) lines.push(`with guest ${guestText(guest)}`);
  if (info.timeShift !== undefined) {
    // files of version 6 do not name some clocks that count nanoseconds
    const [top] = info.buffers;
    const isNs = top?.timeUnit === 'ns' || top?.clock === '';
    lines.push(`host clock ${timeShiftText(info.timeShift, isNs ? signedSeconds : signedNumber)}`);
  }
  if (info.pauses !== undefined && info.pauses.length > 0)
    lines.push(`paused     ${pausesText(info.pauses)}`);
  if (symbols !== 'shown') lines.push(`symbols    ${noSymbolsText(symbols)}`);
  if (unseen !== null && unseen.length > 0) lines.push(`not in it  ${unseenText(unseen)}`);
  return `${lines.join('\n')}\n${info.buffers.map(bufferText).join('')}`;
}

function guestText({ name, traceId, vcpuTids }: TracedGuest): string {
  const threads = [...vcpuTids].map(([vcpu, tid]) => `${vcpu} is thread ${tid}`);
  const vcpus = threads.length === 0 ? '' : `; vCPU ${threads.join(', ')}`;
  return `${printable(name)}, trace id ${traceId}${vcpus}`;
}

/** How often, and how long as far as that is known. */
function pausesText(pauses: readonly RecordedPause[]): string {
  const lengths = pauses.flatMap(({ pausedFrom, pausedTo }) =>
    pausedFrom === null || pausedTo === null ? [] : [Number(BigInt(pausedTo) - BigInt(pausedFrom))],
  );
  const times = counted(pauses.length, 'time');
  return lengths.length === 0
    ? times
    : `${times}, ${duration(lengths.reduce((sum, ns) => sum + ns, 0))} in all`;
}

/** How the host's clock differs, in one line, and how well that is known. */
function timeShiftText({ peerId, cpus, quality }: TimeShift, shown: (offset: bigint) => string): string {
  const samples = cpus.flat();
  const [first] = samples;
  if (first === undefined) return `unknown (trace id ${peerId})`;
  const offsets = samples.map(({ offset }) => offset);
  const least = offsets.reduce((a, b) => (b < a ? b : a));
  const most = offsets.reduce((a, b) => (b > a ? b : a));
  const range = least === most ? shown(least) : `${shown(least)} to ${shown(most)}`;
  const scaled = samples.some(({ scale, fractionBits }) => scale !== 1n || fractionBits !== 0n);
  const count = Math.max(...cpus.map(({ length }) => length));
  const sampled = `${counted(count, 'sample')} per CPU`;
  const known = quality === undefined ? 'unknown how well' : qualityText(quality);
  const rate = rateOf(cpus.find(({ length }) => length > 0) ?? []);
  const line = `ahead by ${range}${scaled ? ' after scaling' : ''}${rate === undefined ? '' : `, ${rateText(rate)}`}`;
  return `${line}, ${known} (trace id ${peerId}, ${sampled})`;
}

/** By how much the host's clock is faster, in ppm, from the first to the last sample; undefined with one sample. */
function rateOf(samples: readonly ShiftSample[]): number | undefined {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || first === last) return undefined;
  return (Number(last.offset - first.offset) / Number(last.time - first.time)) * 1e6;
}

/** An offset of a clock without a unit, such as x86-tsc. */
function signedNumber(offset: bigint): string {
  return offset < 0n ? `${offset}` : `+${offset}`;
}

function compressionOf({ compression }: NonNullable<TraceInfo['format']>): string {
  return compression === 'none' ? 'uncompressed' : `compressed with ${compression}`;
}

function bufferText(buffer: BufferInfo): string {
  const { name, clock, cpus, events, lost, eventsByName } = buffer;
  const what = name === '' ? 'trace' : `instance ${printable(name)}`;
  const head = `\n${what}: ${events} events${spanOf(buffer)}, ${lost} lost, clock ${printable(clock) || 'unknown'}\n`;
  const rows = cpus.map((cpu) => [
    String(cpu.cpu),
    String(cpu.pages),
    String(cpu.events),
    String(cpu.lost),
    humanBytes(cpu.dataBytes),
    String([...cpu.leftOut.values()].reduce((sum, pages) => sum + pages, 0)),
  ]);
  const names = [...eventsByName]
    .slice(0, namesMax)
    .map(([event, count]) => [String(count), printable(event)]);
  const more = eventsByName.size - names.length;
  const warnings = cpus.filter(({ stepsBack }) => stepsBack > 0).map((cpu) => `${stepsBackText(cpu)}\n`);
  return (
    `${head}\n${table(['CPU', 'pages', 'events', 'lost', 'data', 'bad pages'], rows)}\n` +
    `${table(['events', 'name'], names)}${more > 0 ? `and ${more} more names\n` : ''}${warnings.join('')}`
  );
}

/** The time span, in seconds only if the clock counts time. */
function spanOf({ timeUnit, first, last }: BufferInfo): string {
  if (first === undefined || last === undefined) return '';
  if (timeUnit === 'ns') return ` over ${signedSeconds(last - first).slice(1)}`;
  return ` over ${last - first} units of its clock`;
}
