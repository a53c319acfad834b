import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { columnsOf } from '../../../../src/serve/routes/timeline-columns.ts';
import { scratchDir } from '../../trace/samples.ts';

it('columns are the chunks that a span of time touches', async (test) => {
  const dir = scratchDir(test);
  writeFileSync(join(dir, 'columns.bin'), 'aaaXXbbbbccc');
  const chunks = { offset: [0, 5, 9], bytes: [3, 4, 3], from: [0, 10, 20], to: [10, 20, 30] };
  writeFileSync(join(dir, 'chunks.json'), JSON.stringify([[chunks], 'odd']));
  const get = async (from: number, to: number): Promise<string> =>
    String(await columnsOf(dir, 0, 0, from, to));
  assert.equal(await get(0, Infinity), 'aaabbbbccc');
  assert.equal(await get(11, 19), 'bbbb');
  assert.equal(await get(12, 25), 'bbbbccc');
  assert.equal(await get(31, 40), '');
  for (const [row, level] of [
    [0, 1],
    [1, 0],
    [2, 0],
  ] as const)
    await assert.rejects(columnsOf(dir, row, level, 0, 1), /no such row or level/);
});
