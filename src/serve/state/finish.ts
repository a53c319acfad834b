import { closeSync, existsSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isObject } from '../../base/json-type.ts';
import { type Children, lastMessage, runTool } from './child.ts';
import type { Entry } from './recordings.ts';

/** Files in a recording's folder that the recorder's output goes to. */
const resultName = 'record.json';
const logName = 'record.log';

const limits = { timeoutMs: 30 * 60_000, outputBytes: 64 << 20 };
const maxLogBytes = 64 * 1024;
const reservedBytes = 64 * 1024;

/**
 * What a recording has become, when its recorder has ended, however that ended: reads what it reported, converts what
 * it has left unfinished, and measures the files. Deletes a directory of raw pages only if everything is in the file.
 */
export async function finished(children: Children, folder: string, entry: Entry): Promise<Entry> {
  const reports = reportsIn(folder);
  let error = reports.length === 0 ? messageIn(folder) : null;
  const failed = reports.flatMap(({ failures }) => failures)[0];
  if (failed !== undefined) error ??= failed;
  let isWhole = reports.length > 0 && reports.every(isWholeReport);
  for (const name of readdirSync(folder).filter((each) => each.endsWith('.dat.recording'))) {
    const out = name.slice(0, -'.recording'.length);
    // the recorder made the file, and keeps the pages because something is missing
    if (existsSync(join(folder, out))) continue;
    isWhole = false;
    try {
      await runTool(children, ['convert', join(folder, name), '-o', join(folder, out), '--json'], limits);
      if (reports.length === 0) rmSync(join(folder, name), { recursive: true, force: true });
    } catch (cause) {
      error ??= cause instanceof Error ? cause.message : String(cause);
    }
  }
  const files = readdirSync(folder).filter((each) => /^trace(-[\w.-]+)?\.dat$/.test(each));
  if (reports.length === 0) error ??= 'its recorder was killed, or could not write what it recorded';
  const machines: Entry['machines'][number][] = [];
  let spanNs = 0;
  for (const file of files) {
    const name = file === 'trace.dat' ? null : file.slice('trace-'.length, -'.dat'.length);
    const info = await infoOf(children, join(folder, file));
    machines.push({ name, host: name === null, file, cpus: info.cpus });
    spanNs = Math.max(spanNs, info.spanNs);
  }
  machines.sort((a, b) => Number(b.host) - Number(a.host));
  const wanted = entry.guests.length + Number(entry.host);
  return {
    ...entry,
    state: 'done',
    recorder: null,
    spanNs,
    lostBytes: reports.reduce((sum, report) => sum + report.lostBytes, 0),
    overrun: reports.reduce((sum, report) => sum + report.overrun, 0),
    machines,
    whole: isWhole && machines.length === wanted,
    error,
  };
}

/**
 * Makes the files for the recorder's output, and fills them with blanks, which mean nothing in them: so there is space for
 * it when the disk is full. The caller owns the descriptors.
 */
export function openOutput(folder: string): { readonly out: number; readonly err: number } {
  const blank = Buffer.alloc(reservedBytes, '\n');
  const open = (name: string): number => {
    const path = join(folder, name);
    writeFileSync(path, blank, { flag: 'wx', mode: 0o600 });
    return openSync(path, 'r+');
  };
  const out = open(resultName);
  try {
    return { out, err: open(logName) };
  } catch (cause) {
    closeSync(out);
    throw cause;
  }
}

interface Report {
  readonly lostBytes: number;
  readonly heldBytes: number;
  readonly overrun: number;
  readonly failures: readonly string[];
  readonly hasFile: boolean;
  readonly hasLeft: boolean;
}

function isWholeReport({ lostBytes, heldBytes, hasFile, hasLeft, failures }: Report): boolean {
  return hasFile && !hasLeft && lostBytes === 0 && heldBytes === 0 && failures.length === 0;
}

/** What `record --json` printed, if it came so far. */
function reportsIn(folder: string): Report[] {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(join(folder, resultName), 'utf8'));
  } catch {
    return [];
  }
  if (!Array.isArray(value)) return [];
  return value.filter(isObject).map((one) => {
    const cpus: readonly unknown[] = Array.isArray(one['cpus']) ? one['cpus'] : [];
    const failures: readonly unknown[] = Array.isArray(one['failures']) ? one['failures'] : [];
    return {
      lostBytes: number(one['lostBytes']),
      heldBytes: number(one['heldBytes']),
      overrun: cpus.reduce<number>((sum, cpu) => sum + (isObject(cpu) ? number(cpu['overrun']) : 0), 0),
      failures: failures.map((each) => (isObject(each) ? String(each['message']) : '')),
      hasFile: typeof one['file'] === 'string',
      hasLeft: typeof one['recording'] === 'string',
    };
  });
}

function messageIn(folder: string): string | null {
  try {
    const said = readFileSync(join(folder, logName), 'utf8').trimEnd().slice(-maxLogBytes);
    const message = lastMessage(said);
    if (message === undefined) return null;
    return message.remedy === '' ? message.detail : `${message.detail} — ${message.remedy}`;
  } catch {
    return null;
  }
}

/** Number of CPUs with events, and the time from the first event to the last, as far as `info` tells. */
async function infoOf(
  children: Children,
  path: string,
): Promise<{ readonly cpus: number; readonly spanNs: number }> {
  try {
    const value: unknown = JSON.parse((await runTool(children, ['info', path, '--json'], limits)).toString());
    const buffers: readonly unknown[] =
      isObject(value) && Array.isArray(value['buffers']) ? value['buffers'] : [];
    let cpus = 0;
    let spanNs = 0;
    for (const buffer of buffers.filter(isObject)) {
      if (Array.isArray(buffer['cpus'])) cpus = Math.max(cpus, buffer['cpus'].length);
      const { first, last, timeUnit } = buffer;
      if (timeUnit === 'ns' && typeof first === 'string' && typeof last === 'string')
        spanNs = Math.max(spanNs, Number(BigInt(last) - BigInt(first)));
    }
    return { cpus, spanNs };
  } catch {
    // a damaged file is listed all the same
    return { cpus: 0, spanNs: 0 };
  }
}

function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

/** The files of a recording as operands: the host's first, whose file names those of its guests. */
export function inputsOf(folder: string, files: readonly string[]): string[] {
  return files.map((file) => join(folder, basename(file)));
}
