/** `npm test` and `npm run test:long`: runs the tests of a set, or those that match, and prints the results. */
import { exitCode, Failure } from '../../src/base/failure.ts';
import { GuestReports } from './guest-reports.ts';
import { parseTestOptions, type TestOptions, usage } from './options.ts';
import { type FileResult, runFile, runTogether } from './run-file.ts';
import { schedule } from './schedule.ts';
import { type TestFile, testFiles } from './test-files.ts';
import {
  failuresText,
  fileLine,
  listText,
  retryLine,
  skippedText,
  slowestText,
  summaryText,
} from './text.ts';
import { isGood, type Verdict, verdictOf } from './verdict.ts';
import { endWithFailure } from '../end-with-failure.ts';

function say(text: string): void {
  if (text !== '') process.stdout.write(`${text}\n`);
}

interface Chosen {
  readonly file: TestFile;
  /** Only tests whose names match; empty: all. */
  readonly names: readonly RegExp[];
}

function choose(files: readonly TestFile[], { patterns }: TestOptions): Chosen[] {
  if (patterns.length === 0) return files.map((file) => ({ file, names: [] }));
  return files.flatMap((file) => {
    if (patterns.some((pattern) => pattern.test(file.path))) return [{ file, names: [] }];
    const names = patterns.filter((pattern) => pattern.test(file.source));
    return names.length === 0 ? [] : [{ file, names }];
  });
}

/** The long set has all guest tests, and those of the others that have a longer form. */
function isIn(set: TestOptions['set'], { place, long, deeper }: TestFile): boolean {
  return set === 'long' ? place === 'guest' || deeper : !long;
}

async function runAll(options: TestOptions): Promise<boolean> {
  const fromMs = performance.now();
  const { set, places, keep, limitMs } = options;
  const inSet = testFiles(options.root).filter((file) => places.includes(file.place) && isIn(set, file));
  const chosen = choose(inSet, options);
  if (chosen.length === 0) {
    const remedy =
      set === 'short'
        ? 'npm run test:long -- PATTERN searches the long set, --list shows all'
        : '--list shows all';
    throw new Failure(exitCode.usage, `no test of the ${set} set matches`, remedy);
  }
  process.env['TEST_SET'] = set;
  if (keep) process.env['GUEST_KEEP'] = '1';
  const reports = new GuestReports();
  const abort = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => abort.abort());
  const { signal } = abort;
  const verdicts: Verdict[] = [];
  const namesOf = new Map(chosen.map(({ file, names }) => [file, names]));
  const attempt = (file: TestFile): Promise<FileResult> =>
    runFile(file, { names: namesOf.get(file) ?? [], signal, limitMs });
  const judge = async (first: FileResult): Promise<void> => {
    const { file, hung } = first;
    const failed = first.tests.filter(({ state }) => state === 'failed');
    const isLast = failed.length === 0 || hung || keep || signal.aborted;
    if (!isLast) say(retryLine(file, failed));
    const verdict = verdictOf(first, isLast ? undefined : await attempt(file));
    // with a pattern, files run in which no test has a matching name
    if (first.tests.length === 0 && namesOf.get(file)?.length !== 0) return;
    verdicts.push(verdict);
    say(fileLine(verdict));
  };
  await schedule([...namesOf.keys()], async (files) => {
    const whole = files.filter((file) => namesOf.get(file)?.length === 0);
    const chosenByName = files.filter((file) => !whole.includes(file));
    if (whole.length > 1 && !signal.aborted) {
      for (const result of await runTogether(whole, { names: [], signal, limitMs })) await judge(result);
    } else chosenByName.push(...whole);
    for (const file of chosenByName) if (!signal.aborted) await judge(await attempt(file));
  });
  say(failuresText(verdicts, reports));
  if (signal.aborted)
    throw new Failure(exitCode.failed, `ended by a signal after ${verdicts.length} of ${namesOf.size} files`);
  say('');
  say(slowestText(verdicts));
  say(skippedText(verdicts));
  say(summaryText(verdicts, set, performance.now() - fromMs));
  return isGood(verdicts) && verdicts.length > 0;
}

try {
  const options = parseTestOptions(process.argv.slice(2));
  if (options.help) say(usage);
  else if (options.list) say(listText(testFiles(options.root)));
  else if (!(await runAll(options))) process.exitCode = exitCode.failed;
} catch (error) {
  endWithFailure('npm test', error);
}
