// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { holdMachine } from '../local/harness/machine-lock.ts';
import { agentSkip } from '../local/harness/skip.ts';
import { repoRoot } from '../repo-root.ts';

holdMachine();

test('the demo ends with the host task that disturbs its guest', {
  skip: agentSkip(),
  timeout: 400_000,
}, () => {
  const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-demo-test-'));
  try {
    const demo = join(repoRoot, 'dist/tools/demo.js');
    const { status, stdout, stderr } = spawnSync(process.execPath, [demo, '--keep', dir], {
      encoding: 'utf8',
      timeout: 300_000,
    });
    assert.equal(status, 0, stderr);
    assert.match(stdout, / {3}#+ +\d[\d.]* %.* host task disturber:\d+ \(prio 49\) on host CPU 0$/m);
    assert.match(
      stdout,
      /^guest: task victim\[\d+\] .+; .+ because host task disturber\[\d+\] \(prio 49\) held CPU 0/m,
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
