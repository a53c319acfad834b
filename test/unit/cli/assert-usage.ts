import assert from 'node:assert/strict';
import { exitCode, Failure } from '../../../src/base/failure.ts';

/** Asserts that `run` fails as bad usage: one line that matches `message`, and a remedy. */
export function assertUsage(run: () => unknown, message: RegExp, remedy = /./): void {
  assert.throws(run, (thrown: unknown) => {
    assert.ok(thrown instanceof Failure, `thrown: ${String(thrown)}`);
    assert.equal(thrown.exitCode, exitCode.usage);
    assert.match(thrown.message, message);
    assert.match(thrown.remedy, remedy);
    assert.ok(!/\p{Cc}/u.test(thrown.message + thrown.remedy), 'one line, no control characters');
    assert.ok(thrown.message.length < 400, 'short');
    return true;
  });
}
