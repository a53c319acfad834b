// @alone it measures

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { repoRoot } from '../repo-root.ts';

test('every benchmark produces its table from one round each', { timeout: 3_600_000 }, (context) => {
  const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-bench-'));
  context.after(() => rmSync(dir, { recursive: true }));
  const json = join(dir, 'results.json');
  const bench = join(repoRoot, 'dist/bench/main.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, [bench, '--rounds', '1', '--json', json], {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  console.log(stdout);
  assert.equal(status, 0, stderr);
  const results = readFileSync(json, 'utf8');
  for (const name of [
    'cost',
    'slowdown',
    'memory',
    'latency',
    'growth',
    'replacement',
    'collect',
    'reading',
    'export',
    'clock',
    'host',
    'explain',
  ])
    assert.match(results, new RegExp(`"name": "${name} (?:guest|native)"`));
});
