import pLimit from 'p-limit';
import type { TestFile } from './test-files.ts';

/** Unit tests wait for most of their time, and need no more than a moment of a core. */
const unitLanes = 4;
/** Others that may run beside another one; on two cores the third takes what the other two leave while they wait. */
const lanes = 3;

/**
 * Runs all files: unit tests first, then those that may have company, and at last each of the others with the machine to
 * itself. What takes the longest starts first among its kind.
 */
export async function schedule(
  files: readonly TestFile[],
  runOne: (file: TestFile) => Promise<void>,
): Promise<void> {
  const together = files.filter(({ alone }) => alone === undefined);
  const ordered = [...together.filter(({ first }) => first), ...together.filter(({ first }) => !first)];
  const unit = ordered.filter(({ place }) => place === 'unit');
  const others = ordered.filter(({ place }) => place !== 'unit');
  for (const [batch, most] of [
    [unit, unitLanes],
    [others, lanes],
  ] as const) {
    const limit = pLimit(most);
    await Promise.all(batch.map((file) => limit(runOne, file)));
  }
  for (const file of files) if (file.alone !== undefined) await runOne(file);
}
