import pLimit from 'p-limit';
import type { TestFile } from './test-files.ts';

/** Number of processes that unit test files share: some of the tests wait, the others keep two cores busy. */
const unitProcesses = 4;
/** Number of other files that run in parallel; on two cores the third uses the time while the other two wait. */
const lanes = 3;

/**
 * Runs all files: first unit tests, many per process; then files that may run in parallel; finally, one at a time, those
 * that need the machine for themselves. In each group the longest ones start first.
 */
export async function schedule(
  files: readonly TestFile[],
  runSome: (files: readonly TestFile[]) => Promise<void>,
): Promise<void> {
  const together = files.filter(({ alone }) => alone === undefined);
  const ordered = [...together.filter(({ first }) => first), ...together.filter(({ first }) => !first)];
  const unit = ordered.filter(({ place }) => place === 'unit');
  const others = ordered.filter(({ place }) => place !== 'unit');
  const sharing = unit.filter(({ hooks }) => !hooks);
  const groups = Array.from({ length: unitProcesses }, (_, n) =>
    sharing.filter((_file, i) => i % unitProcesses === n),
  );
  const unitLimit = pLimit(unitProcesses);
  const alone = unit.filter(({ hooks }) => hooks).map((file) => [file]);
  await Promise.all([...groups, ...alone].map((files) => unitLimit(runSome, files)));
  const limit = pLimit(lanes);
  await Promise.all(others.map((file) => limit(runSome, [file])));
  for (const file of files) if (file.alone !== undefined) await runSome([file]);
}
