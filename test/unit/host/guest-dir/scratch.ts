import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import assert from 'node:assert/strict';
import type { ExitCode } from '../../../../src/base/failure.ts';
import { Failure } from '../../../../src/base/failure.ts';

/** A directory for the test, removed at its end. */
export function scratchDir(context: TestContext): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'virtio-trace-test-')));
  context.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** For assert.throws and assert.rejects: checks for a Failure with this exit code, message, and remedy. */
export function failure(code: ExitCode, message: RegExp, remedy = /./): (thrown: unknown) => true {
  return (thrown) => {
    assert.ok(thrown instanceof Failure, `thrown: ${String(thrown)}`);
    assert.equal(thrown.exitCode, code, thrown.message);
    assert.match(thrown.message, message);
    assert.match(thrown.remedy, remedy);
    assert.doesNotMatch(thrown.message + thrown.remedy, /\p{Cc}/u, 'one line, no control characters');
    return true;
  };
}

/** Starts another process that holds a guest's lock until it is killed or the test ends. */
export async function lockElsewhere(context: TestContext, dir: string, isBrief = false) {
  const module = new URL('../../../../src/host/guest-dir/guest-dir.js', import.meta.url).href;
  const script = `const { GuestDir } = await import(${JSON.stringify(module)});
    GuestDir.open({ dir: ${JSON.stringify(dir)}, guest: undefined }, ${isBrief}).lock();
    console.log('locked'); setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  context.after(() => holder.kill('SIGKILL'));
  await once(holder.stdout, 'data');
  return holder;
}
