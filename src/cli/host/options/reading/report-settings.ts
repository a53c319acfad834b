import { exitCode, Failure } from '../../../../base/failure.ts';
import { quoted } from '../../../../base/quoted.ts';
import { parseChoice, parseCount } from '../../../options/choice.ts';
import { parsePath } from '../../../options/names.ts';
import { parseFlag, type Setting, type WithDefault } from '../../../options/setting.ts';
import { colorChoices } from '../../../report/line-colors.ts';
import { lines } from '../trace-settings.ts';

function flag(short: string | undefined, long: string, description: string): WithDefault<boolean> {
  return { ...(short !== undefined && { short }), long, description, defaultText: 'false', parse: parseFlag };
}

/** Maximum number of threads: each takes memory, and more of them would not print faster. */
const mostThreads = 64;

/** Options of `report`. Short options, and long ones without a short form, are those of trace-cmd report. */
export const reportSettings = {
  reportInputs: {
    short: 'i',
    long: 'input',
    placeholder: 'FILE',
    description: 'a file to print; repeat to merge several by time',
    values: 'file',
    repeatable: true,
    parse: (text: string, name: string) => lines(text).map((path) => parsePath(path, name)),
  },
  nanoseconds: flag('t', 'nanoseconds', 'print times with nanoseconds'),
  latency: flag('l', 'latency', 'print interrupt and preemption state, as the latency tracers do'),
  raw: flag('R', 'raw', 'print the fields of events, not their print formats'),
  rawEvents: {
    short: 'r',
    long: 'raw-event',
    placeholder: 'REGEX',
    description: 'like -R, for events whose name or system matches; may be repeated',
    repeatable: true,
    parse: parsePatterns,
  },
  withoutPlugins: flag('N', 'plain', 'print all events by their print formats, without plugin handlers'),
  localPlugins: flag('L', 'local-plugins', 'the same as -N: there are no other plugins'),
  plainEvents: {
    short: 'n',
    long: 'plain-event',
    placeholder: 'REGEX',
    description: 'the same as -N for events whose name or system matches; may be repeated',
    repeatable: true,
    parse: parsePatterns,
  },
  pluginOptions: {
    short: 'O',
    long: 'option',
    placeholder: 'OPTION',
    description:
      'parent, indent=0 or offset for functions, tailprint or depth for function graphs; may be repeated',
    values: { words: ['parent', 'indent', 'offset', 'tailprint', 'depth'] },
    repeatable: true,
    parse: lines,
  },
  withoutHardirq: flag('I', 'without-hardirq', 'skip events in hard interrupts'),
  withoutSoftirq: flag('S', 'without-softirq', 'skip events in soft interrupts'),
  wakeups: flag('w', 'wakeups', 'append the wakeup latency to each switch to a woken task'),
  timeDifference: flag(undefined, 'ts-diff', 'print the time since the previous line'),
  timeCheck: flag(undefined, 'ts-check', 'report when the time on a CPU goes backwards'),
  rawTimes: flag(undefined, 'raw-ts', 'print times in the unit of the clock'),
  alignTimes: flag(undefined, 'align-ts', 'print times since the first event'),
  noDate: flag(undefined, 'nodate', 'ignore the offset that trace-cmd record --date stored'),
  timeOffset: {
    long: 'ts-offset',
    placeholder: 'N',
    description: 'add this to the times of the preceding -i, in units of its clock',
    repeatable: true,
    parse: (text: string, name: string) => lines(text).map((each) => parseInteger(each, name)),
  },
  clockHz: {
    long: 'ts2secs',
    placeholder: 'HZ',
    description: 'clock frequency of the preceding -i, or of all files; prints times in seconds',
    repeatable: true,
    parse: (text: string, name: string) => lines(text).map((each) => parseFrequency(each, name)),
  },
  threads: {
    short: 'j',
    long: 'jobs',
    placeholder: 'N',
    description: 'print with N threads; the output is the same (default: one for each CPU, at most 4)',
    parse: (text: string, name: string) => parseCount(text, name, mostThreads, 1),
  },
  listFunctions: flag('f', 'functions', 'list the addresses of functions, and exit'),
  listPrintk: flag('P', 'printk', 'list the texts of trace_printk, and exit'),
  listEvents: flag('E', 'event-names', 'list all types of events, and exit'),
  listFormats: flag(undefined, 'events', 'print the format files of all events, and exit'),
  endianness: flag('e', 'endian', 'print the byte order, and exit'),
  listCpus: flag(undefined, 'cpus', 'list the CPUs that have events, and exit'),
  firstEvent: flag(undefined, 'first-event', 'list the time of the first event of each CPU, and exit'),
  lastEvent: flag(undefined, 'last-event', 'list the time of the last event of each CPU, and exit'),
  statistics: flag(undefined, 'stat', "print the statistics of the guest's ring buffers, and exit"),
  uname: flag(undefined, 'uname', 'print what uname printed in the guest, and exit'),
  writer: flag(undefined, 'version', 'print which program wrote the file, and exit'),
  checkEvents: flag(undefined, 'check-events', 'check all print formats; exits with 1 if one cannot be used'),
  color: {
    long: 'color',
    placeholder: 'WHEN',
    description: `color the lines: ${colorChoices.join(', ')}; auto: on a terminal; NO_COLOR and FORCE_COLOR are honored`,
    values: { words: colorChoices },
    defaultText: 'auto',
    parse: (text: string, name: string) => parseChoice(text, name, colorChoices),
  },
  testFilters: flag('T', 'test-filters', 'print what the filters of -F mean for each event, and exit'),
  global: flag('G', 'global', 'for trace-cmd report --profile only; without effect'),
} as const satisfies Readonly<Record<string, Setting<unknown>>>;

function parsePatterns(text: string, name: string): RegExp[] {
  return lines(text).map((pattern) => {
    try {
      return new RegExp(`^(?:${pattern})$`, 'i');
    } catch (cause) {
      throw new Failure(
        exitCode.usage,
        `${name}: ${quoted(pattern)} is not a regular expression`,
        'put a backslash before special characters to match them literally',
        { cause },
      );
    }
  });
}

function parseInteger(text: string, name: string): bigint {
  if (/^[-+]?\d{1,19}$/.test(text)) return BigInt(text.replace('+', ''));
  throw new Failure(exitCode.usage, `${name}: ${quoted(text)} is not a whole number`, 'use e.g. -1000');
}

function parseFrequency(text: string, name: string): number {
  const hz = Number(text);
  if (/^\d{1,15}$/.test(text) && hz > 0) return hz;
  throw new Failure(
    exitCode.usage,
    `${name}: ${quoted(text)} is not a frequency in Hz`,
    'use e.g. 3400000000',
  );
}
