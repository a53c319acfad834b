import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  counted,
  cpuRanges,
  humanBytes,
  humanDuration,
  signedSeconds,
  table,
} from '../../../../src/cli/report/human.ts';

describe('texts for people', () => {
  it('rounds sizes within their unit', () => {
    const sizes = [0, 1023, 1024, 1536, 1024 ** 2 - 1, 5 * 1024 ** 3, 2 ** 53].map(humanBytes);
    assert.deepEqual(sizes, ['0 B', '1023 B', '1.0 KiB', '1.5 KiB', '1.0 MiB', '5.0 GiB', '8.0 PiB']);
  });

  it('prints times in their two largest units', () => {
    const times = [0, 1500, 59_949, 59_960, 61_000, 3_599_400, 3_600_000, 90_061_000].map(humanDuration);
    assert.deepEqual(times, [
      '0.0 s',
      '1.5 s',
      '59.9 s',
      '1 min 0 s',
      '1 min 1 s',
      '59 min 59 s',
      '1 h 0 min',
      '25 h 1 min',
    ]);
  });

  it('uses the singular for one', () => {
    assert.deepEqual(
      [counted(0, 'CPU'), counted(1, 'CPU'), counted(2, 'entry', 'entries')],
      ['0 CPUs', '1 CPU', '2 entries'],
    );
  });

  it('keeps every digit of nanoseconds', () => {
    assert.deepEqual(
      [signedSeconds(-1n), signedSeconds(81_000_000_012n)],
      ['-0.000000001 s', '+81.000000012 s'],
    );
  });

  it('aligns columns, numbers to the right', () => {
    const text = table(
      ['CPU', 'state', 'pid'],
      [
        ['0', 'running', '-'],
        ['10', 'waiting: no port', '412'],
      ],
    );
    assert.equal(
      text,
      'CPU  state             pid\n  0  running             -\n 10  waiting: no port  412\n',
    );
  });

  it("lists CPUs in the kernel's format", () => {
    assert.equal(cpuRanges([3, 1, 2, 0, 10, 12, 11, 14]), '0-3,10-12,14');
    assert.equal(cpuRanges([]), '');
  });
});
