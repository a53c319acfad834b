import { exitCode, Failure } from '../../../../base/failure.ts';
import { quoted } from '../../../../base/quoted.ts';
import { parseGuestName } from '../../../../host/guest-dir/location.ts';
import { parseCount } from '../../../options/choice.ts';
import { parsePath } from '../../../options/names.ts';
import type { Setting } from '../../../options/setting.ts';
import { lines } from '../trace-settings.ts';
import { parseTask } from './selection.ts';

/** Most waits that are kept in memory with their causes. */
const mostWaits = 10_000;

const unitNs: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };

/** The options of `trace-host explain` that other commands have in another meaning, or not at all. */
export const explainSettings = {
  explainGuest: {
    long: 'guest',
    otherNames: ['machine'],
    placeholder: 'NAME',
    description: 'only waits in this guest',
    parse: (text: string) => text,
  },
  explainTask: {
    long: 'task',
    otherNames: ['pid', 'tid', 'comm', 'process', 'thread'],
    placeholder: 'TASK',
    description: 'only waits of this task, a name or a thread id',
    parse: parseTask,
  },
  worst: {
    long: 'worst',
    otherNames: ['top', 'count', 'number'],
    placeholder: 'N',
    description: 'how many of the longest waits to explain',
    defaultText: '10',
    parse: (text: string, name: string) => parseCount(text, name, mostWaits, 1),
  },
  over: {
    long: 'over',
    otherNames: ['min', 'longer', 'threshold'],
    placeholder: 'TIME',
    description: 'only waits that are at least this long, e.g. 500us or 1ms',
    parse: parseLength,
  },
  explainAgents: {
    short: 'A',
    long: 'agent',
    placeholder: 'NAME',
    description:
      'record this guest now, and this host with it, and explain that recording; repeat to record several guests',
    values: 'guest',
    repeatable: true,
    parse: (text: string, name: string) => lines(text).map((guest) => parseGuestName(guest, name)),
  },
  explainEvents: {
    short: 'e',
    long: 'event',
    placeholder: 'EVENT',
    description:
      'with -A: also record this event or system, of this host before the first -A, of a guest after its -A; a guest ' +
      'without -e takes those of the machine before it; repeatable',
    repeatable: true,
    parse: lines,
  },
  explainOutput: {
    short: 'o',
    long: 'output',
    otherNames: ['out', 'file', 'keep'],
    placeholder: 'FILE',
    description:
      "with -A: keep the recording, in this file and one with each guest's name before the extension " +
      '(default: it is removed)',
    values: 'file',
    parse: parsePath,
  },
  perfetto: {
    long: 'perfetto',
    otherNames: ['output', 'export'],
    placeholder: 'FILE',
    description: 'also write the traces with the waits and their causes for the Perfetto UI',
    values: 'file',
    parse: parseFile,
  },
} satisfies Readonly<Record<string, Setting<unknown>>>;

function parseLength(text: string, name: string): number {
  const [, count, unit = ''] = /^(\d{1,12}(?:\.\d{1,9})?)(ns|us|ms|s)$/.exec(text.trim()) ?? [];
  if (count !== undefined) return Math.round(Number(count) * unitNs[unit]!);
  throw new Failure(
    exitCode.usage,
    `${name}: ${quoted(text)} is not a length of time`,
    'use a number with a unit, such as 500us or 1ms',
  );
}

function parseFile(text: string, name: string): string {
  if (text !== '-') return parsePath(text, name);
  throw new Failure(exitCode.usage, `${name}: stdout has the waits`, 'name a file, such as waits.pftrace');
}
