// @first a hundred thousand traces take long
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { readMutations } from '../mutated/run.ts';
import { isLong, thorough } from '../set.ts';

/** Another seed, first mutation and count: to repeat a failure, or to try others. */
const seed = Number(process.env['MUTATION_SEED'] ?? (isLong ? Date.now() % 1_000_000 : 1));
const first = Number(process.env['MUTATION_FIRST'] ?? 0);
const count = Number(process.env['MUTATION_COUNT'] ?? thorough(10_000) * (isLong ? 10 : 1));

test(`${count} damaged traces are read or refused: no crash, no hang, bounded memory (MUTATION_SEED=${seed})`, {
  timeout: 4 * 3600_000,
}, async (context) => {
  const jobs = isLong ? availableParallelism() : 1;
  const { read, refused, faults } = await readMutations(seed, first, count, jobs);
  context.diagnostic(`seed ${seed}: ${read} read, ${refused} refused`);
  assert.deepEqual(faults, [], `repeat with MUTATION_SEED=${seed} MUTATION_FIRST=N MUTATION_COUNT=1`);
  assert.ok(count < 100 || (read > count / 20 && refused > count / 20), `${read} read, ${refused} refused`);
});
