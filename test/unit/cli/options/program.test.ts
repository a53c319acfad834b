import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../../../bin/trace-host.js', import.meta.url));

/** Runs `trace-host --help` with this stdout; `gone`: a pipe whose reader closes before anything is written. */
async function helpTo(stdout: 'gone' | number): Promise<{ readonly code: unknown; readonly stderr: string }> {
  const child = spawn(process.execPath, [program, '--help'], {
    stdio: ['ignore', stdout === 'gone' ? 'pipe' : stdout, 'pipe'],
  });
  child.stdout?.destroy();
  assert.ok(child.stderr);
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  return { code, stderr };
}

describe('a program whose stdout cannot be written', () => {
  it('ends silently when the reader closes, as head does', async () => {
    assert.deepEqual(await helpTo('gone'), { code: 0, stderr: '' });
  });

  it('fails with one line when the disk is full', async () => {
    const full = openSync('/dev/full', 'w');
    const ended = await helpTo(full);
    closeSync(full);
    assert.deepEqual(ended, { code: 1, stderr: 'trace-host: cannot write to stdout: ENOSPC\n' });
  });
});
