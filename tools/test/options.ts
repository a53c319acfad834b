import { parseArgs } from 'node:util';
import { exitCode, Failure } from '../../src/base/failure.ts';
import { repoRoot } from '../../test/repo-root.ts';

export const usage = `usage: npm test [-- [OPTION...] [PATTERN...]]
       npm run test:long [-- [OPTION...] [PATTERN...]]

Runs the short set of tests, or the long one. A PATTERN is a regular expression: a file whose path matches runs whole;
of other files those tests run whose names match.

  --in PLACE       only tests of test/PLACE: unit, local or guest; may be given more than once
  --keep           leave the guests of a test file that fails running, and say how to look into them
  --limit SECONDS  kill a test file that runs longer, and all that it started: it has failed; default: 600, in the long
                   set 6000
  --root DIR       the tests of another checkout, which is built
  --list           list the files of both sets with their tests, and run nothing
  --help

examples:
  npm test -- kills                            files with kills in their path
  npm test -- 'Ctrl-C stops'                   one test by its name
  npm run test:long -- --in guest --keep unplug`;

export const places = ['unit', 'local', 'guest'] as const;
export type Place = (typeof places)[number];

export interface TestOptions {
  readonly set: 'short' | 'long';
  readonly places: readonly Place[];
  readonly patterns: readonly RegExp[];
  readonly keep: boolean;
  /** Of one process, for which it may run. */
  readonly limitMs: number;
  /** The checkout. */
  readonly root: string;
  readonly list: boolean;
  readonly help: boolean;
}

/** Several times what the slowest file takes on two busy cores. */
const defaultLimitMs = { short: 10 * 60_000, long: 100 * 60_000 };
const longestLimitSeconds = 1_000_000;

/** Throws Failure (usage) for unknown options. */
export function parseTestOptions(argv: readonly string[]): TestOptions {
  const { values, positionals } = parsed(argv);
  const set = values.set ?? 'short';
  if (set !== 'short' && set !== 'long') throw wrong(`unknown set ${set}`);
  return {
    set,
    places: (values.in ?? places).map(placeOf),
    patterns: positionals.map(patternOf),
    keep: values.keep ?? false,
    limitMs: values.limit === undefined ? defaultLimitMs[set] : limitOf(values.limit),
    root: values.root ?? repoRoot,
    list: values.list ?? false,
    help: values.help ?? false,
  };
}

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        set: { type: 'string' },
        in: { type: 'string', multiple: true },
        keep: { type: 'boolean' },
        limit: { type: 'string' },
        root: { type: 'string' },
        list: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error));
  }
}

function placeOf(word: string): Place {
  const place = places.find((candidate) => candidate === word);
  if (place === undefined) throw wrong(`--in ${word}: not one of ${places.join(', ')}`);
  return place;
}

function limitOf(text: string): number {
  const seconds = /^\d+$/.test(text) ? Number(text) : 0;
  if (seconds < 1 || seconds > longestLimitSeconds)
    throw wrong(`--limit ${text}: not a number of seconds up to ${longestLimitSeconds}`);
  return seconds * 1000;
}

function patternOf(text: string): RegExp {
  try {
    return new RegExp(text, 'i');
  } catch {
    throw wrong(`the pattern ${text} is not a regular expression`);
  }
}

function wrong(message: string): Failure {
  return new Failure(exitCode.usage, message, usage);
}
