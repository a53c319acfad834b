import { exitCode, Failure } from '../../../base/failure.ts';
import { defaultDir, parseGuestName } from '../../../host/guest-dir/location.ts';
import type { Compression } from '../../../trace/dat/write/write-v7.ts';
import { parseChoice, parseCount } from '../../options/choice.ts';
import { parseDurationMs, parseTimeMs } from '../../options/duration.ts';
import { quoted } from '../../../base/quoted.ts';
import { parsePath } from '../../options/names.ts';
import { explainSettings } from './reading/explain-settings.ts';
import { reportSettings } from './reading/report-settings.ts';
import { excludeSetting, selectionSettings } from './reading/selection.ts';
import { machinesSetting } from './reading/session-options.ts';
import { timelineSettings } from './serving/timeline-settings.ts';
import { parseTimePoint, type TimePoint } from './reading/time-point.ts';
import { serveSettings } from './serving/serve-settings.ts';
import { setupSettings } from './setup-settings.ts';
import { lines, traceSettings } from './trace-settings.ts';
import type { Setting } from '../../options/setting.ts';
import { parseFlag } from '../../options/setting.ts';
import { parseBytes } from '../../options/size.ts';

const fileVersions = ['6', '7'] as const;
/** What `export` writes. */
export const exportFormats = ['perfetto', 'ndjson', 'csv', 'parquet'] as const;
export type ExportFormat = (typeof exportFormats)[number];
const compressions = ['none', 'zstd'] as const satisfies readonly Compression[];
/** 24 days, just below the limit of Node's timers (2^31 ms). */
const longestMs = 24 * 24 * 3600 * 1000;

/** All options of trace-host's commands; `subcommands` in host-options.ts lists the options of each. */
export const hostSettings = {
  guest: {
    long: 'guest',
    placeholder: 'NAME',
    description: 'name of the guest, if there are several: its directory is DIR/NAME (default: DIR itself)',
    values: 'guest',
    parse: parseGuestName,
  },
  dir: {
    long: 'dir',
    placeholder: 'DIR',
    description: 'directory of the host side of the ports',
    values: 'directory',
    defaultText: defaultDir,
    parse: parsePath,
  },
  ...setupSettings,
  ...traceSettings,
  ...selectionSettings,
  ...reportSettings,
  ...explainSettings,
  ...timelineSettings,
  ...serveSettings,
  exclude: excludeSetting,
  output: {
    short: 'o',
    long: 'output',
    placeholder: 'FILE',
    description: 'file to write; a guest named with --agent gets its name inserted before the extension',
    values: 'file',
    defaultText: 'trace.dat',
    parse: parsePath,
  },
  metadataOutput: {
    short: 'o',
    long: 'output',
    placeholder: 'FILE',
    description: 'file to write',
    values: 'file',
    defaultText: 'metadata.tar.gz',
    parse: parsePath,
  },
  maxKb: {
    short: 'm',
    long: 'max-kb',
    placeholder: 'KB',
    description: 'keep only the newest data of each CPU, this many KiB',
    parse: (text: string, name: string) => parseCount(text, name, 2 ** 40, 1),
  },
  duration: {
    long: 'duration',
    placeholder: 'TIME',
    description: 'stop after this time; in seconds, or e.g. 1.5, 500ms, 10s, 5m',
    parse: parseSeconds,
  },
  maxSize: {
    long: 'max-size',
    placeholder: 'SIZE',
    description: 'stop after recording this much, e.g. 500M, 10G',
    parse: parseBytes,
  },
  rotate: {
    long: 'rotate',
    placeholder: 'SIZE|TIME',
    description:
      'begin a new file after this much data, e.g. 100M or 1G, or this time, e.g. 90s, 5m, 1h (m: minutes, M: MiB); ' +
      'the names get a number, as in trace.000001.dat',
    parse: parseRotation,
  },
  keepSets: {
    long: 'keep',
    placeholder: 'N',
    description: 'with --rotate: keep the newest N files of each guest and delete older ones (default: all)',
    parse: (text: string, name: string) => parseCount(text, name, 2 ** 31, 1),
  },
  guests: {
    short: 'A',
    long: 'agent',
    placeholder: 'NAME',
    description:
      'record this guest; repeat to record several at once, into one file each. Options after it select what this ' +
      'guest traces; without -e and -p among them, it traces what the options before it select',
    values: 'guest',
    repeatable: true,
    parse: (text: string, name: string) => lines(text).map((guest) => parseGuestName(guest, name)),
  },
  host: {
    long: 'host',
    description:
      'record this host too, or only this host if there is no --agent; options before the first -A are its own, and ' +
      '-e or -p among them imply --host',
    defaultText: 'false',
    parse: parseFlag,
  },
  ignoreUnknown: {
    short: 'i',
    long: 'ignore-unknown',
    description: 'skip events that the guest does not have, instead of failing',
    defaultText: 'false',
    parse: parseFlag,
  },
  delay: {
    long: 'delay',
    otherNames: ['interval'],
    placeholder: 'TIME',
    description: 'time between frames, at least 100ms; in seconds, or e.g. 500ms, 2s',
    defaultText: '1s',
    parse: parseDelay,
  },
  once: {
    long: 'once',
    description: 'show one frame, and end',
    defaultText: 'false',
    parse: parseFlag,
  },
  print: {
    long: 'print',
    description: 'print the events during the recording, as report --follow does',
    defaultText: 'false',
    parse: parseFlag,
  },
  follow: {
    long: 'follow',
    description: 'print the events of a recording in progress, until it ends',
    defaultText: 'false',
    parse: parseFlag,
  },
  quiet: {
    short: 'q',
    long: 'quiet',
    description: 'print only errors and warnings',
    defaultText: 'false',
    parse: parseFlag,
  },
  fileVersion: {
    long: 'file-version',
    placeholder: 'VERSION',
    description: 'trace.dat version, 6 or 7; 6 is the same as --v6',
    values: { words: fileVersions },
    parse: (text: string, name: string) => parseChoice(text, name, fileVersions),
  },
  compression: {
    long: 'compression',
    placeholder: 'HOW',
    description: "trace-cmd's name for --compress: none, zstd or any",
    values: { words: [...compressions, 'any'] },
    parse: (text: string, name: string): Compression => {
      const word = parseChoice(text, name, [...compressions, 'any'] as const);
      return word === 'any' ? 'zstd' : word;
    },
  },
  v6: {
    long: 'v6',
    description: 'write trace.dat version 6, for trace-cmd before 3.0',
    defaultText: 'false',
    parse: parseFlag,
  },
  compress: {
    long: 'compress',
    placeholder: 'HOW',
    description: 'compress the file: none or zstd',
    values: { words: compressions },
    defaultText: 'none',
    parse: (text: string, name: string) => parseChoice(text, name, compressions),
  },
  metadata: {
    long: 'metadata',
    placeholder: 'FILE',
    description: "the guest's metadata archive, for raw files",
    values: 'file',
    parse: parsePath,
  },
  machines: machinesSetting,
  top: {
    long: 'top',
    placeholder: 'N',
    description: 'number of rows of each table',
    defaultText: '10',
    parse: (text: string, name: string) => parseCount(text, name, 2 ** 20, 1),
  },
  exportTo: {
    long: 'to',
    placeholder: 'FORMAT',
    description:
      `format to write: ${exportFormats.join(', ')} (default: by the extension of the output); ` +
      'or, as for the other commands, a time: only events up to it',
    otherNames: ['format', 'type'],
    values: { words: exportFormats },
    repeatable: true,
    parse: parseExportTo,
  },
  exportOutput: {
    short: 'o',
    long: 'output',
    placeholder: 'OUT',
    description:
      'file to write, or a directory for Parquet, and for CSV of several event types; - for stdout',
    otherNames: ['out', 'file'],
    values: 'file',
    parse: parsePath,
  },
  csv: {
    long: 'csv',
    description: 'print CSV',
    defaultText: 'false',
    parse: parseFlag,
  },
  gzip: {
    long: 'gzip',
    description: 'compress the output; default if its name ends in .gz',
    defaultText: 'false',
    parse: parseFlag,
  },
  genericEvents: {
    long: 'generic-events',
    description:
      'for Perfetto before version 50: name events and fields in each event instead of describing them once; a larger file',
    defaultText: 'false',
    parse: parseFlag,
  },
  dryRun: {
    long: 'dry-run',
    description: 'change no file, and only show the result',
    defaultText: 'false',
    parse: parseFlag,
  },
  bare: {
    long: 'bare',
    description:
      'send the order in the form for agents that do not answer (such as the one in the kernel tree), and do not wait',
    defaultText: 'false',
    parse: parseFlag,
  },
  timeout: {
    long: 'timeout',
    placeholder: 'MS',
    description: 'how long to wait for the guest to respond; milliseconds, or e.g. 500ms, 10s, 1m',
    defaultText: '5s',
    parse: parseTimeoutMs,
  },
  json: {
    long: 'json',
    description: 'print JSON',
    defaultText: 'false',
    parse: parseFlag,
  },
} as const satisfies Record<string, Setting<unknown>>;

export type HostSettingName = keyof typeof hostSettings;

/** Parses `--to` of export: a format, a time, or both. The last one of each applies. */
function parseExportTo(
  text: string,
  name: string,
): { readonly format: ExportFormat | undefined; readonly time: TimePoint | undefined } {
  const words = lines(text);
  const formats = exportFormats.filter((format) => words.includes(format));
  const times = words.filter((word) => !formats.some((format) => format === word));
  const [time] = times.slice(-1);
  // a word is more likely a misspelt format than a time
  if (time !== undefined && /^\.?[a-z]/i.test(time) && !time.startsWith('last'))
    parseChoice(time, name, exportFormats);
  const format = formats.findLast((each) => words.includes(each));
  return { format, time: time === undefined ? undefined : parseTimePoint(time, name) };
}

/** A number without a unit means seconds, as in trace-cmd. */
function parseSeconds(text: string, name: string): number {
  const durationMs = parseTimeMs(text, name, 's');
  if (durationMs > 0 && durationMs <= longestMs) return durationMs;
  throw new Failure(exitCode.usage, `${name}: ${quoted(text)} is not a valid recording time`, 'use e.g. 10s');
}

/** Between frames. */
const leastDelayMs = 100;

function parseDelay(text: string, name: string): number {
  const delayMs = parseTimeMs(text, name, 's');
  if (delayMs >= leastDelayMs && delayMs <= 3_600_000) return delayMs;
  throw new Failure(
    exitCode.usage,
    `${name}: ${quoted(text)} is not a time between frames`,
    'use 100ms to 1h, e.g. 2s',
  );
}

const leastSetBytes = 2 ** 20;
const leastSetMs = 1000;

/** A size has a unit in capitals, or k, g or t; a time has one of its own. */
function parseRotation(
  text: string,
  name: string,
): { readonly bytes: number } | { readonly everyMs: number } {
  const word = text.trim();
  const remedy = 'use a size of at least 1M, e.g. 100M, or a time of at least 1s, e.g. 1h';
  if (/^\d+(?:[KMGT]|[kgt])$/.test(word)) {
    const bytes = parseBytes(word, name);
    if (bytes >= leastSetBytes) return { bytes };
  } else if (/^[\d.]+(?:ms|[smh])$/.test(word)) {
    const everyMs = parseSeconds(word, name);
    if (everyMs >= leastSetMs) return { everyMs };
  }
  throw new Failure(
    exitCode.usage,
    `${name}: ${quoted(text)} is no size or time to begin a new file at`,
    remedy,
  );
}

function parseTimeoutMs(text: string, name: string): number {
  const timeoutMs = parseDurationMs(text, name);
  if (timeoutMs > 0) return timeoutMs;
  throw new Failure(exitCode.usage, `${name}: must be more than 0`, 'use e.g. 5s');
}
