import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { lastKernelError } from '../../../src/tracefs/error-log.ts';

const log = `[  774.090718] event filter parse error: error: Field not found
  Command: nofield == 1
                   ^
[  774.125456] event filter parse error: error: Invalid value (did you forget quotes)?
  Command: prev_pid ==
                       ^
`;

describe('error_log', () => {
  it('returns the last entry, with the place that the caret points to', () => {
    assert.deepEqual(lastKernelError(log), {
      words: 'Invalid value (did you forget quotes)?',
      command: 'prev_pid ==',
      column: 12,
    });
    const first = lastKernelError(log.slice(0, log.indexOf('[', 1)));
    assert.equal(first?.command.slice(0, first.column + 1), 'nofield =');
  });

  it('reads entries of other kernel subsystems, which contain "error:" once', () => {
    const hist =
      "[   12.5] hist:sched:sched_switch: error: Couldn't find field\n  Command: keys=x\n                ^\n";
    assert.deepEqual(lastKernelError(hist), { words: "Couldn't find field", command: 'keys=x', column: 5 });
  });

  it('returns nothing for an empty or unknown text', () => {
    for (const text of ['', 'nonsense', '[ 1.0] event filter parse error: error: x\n']) {
      assert.equal(lastKernelError(text), undefined);
    }
  });
});
