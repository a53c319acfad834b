import pLimit from 'p-limit';
import type { TestFile } from './test-files.ts';

/** Unit test files share so many processes: some of these tests wait, the others keep two cores busy. */
const unitProcesses = 4;
/** Others that may run beside another one; on two cores the third takes what the other two leave while they wait. */
const lanes = 3;

/**
 * Runs all files: unit tests first, many in a process, then those that may have company, and at last each of the others
 * with the machine to itself. What takes the longest starts first among its kind.
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
