import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseHostOptions } from '../../../../../src/cli/host/options/host-options.ts';
import { assertUsage } from '../../assert-usage.ts';

function parse(...args: string[]) {
  const command = parseHostOptions(['explain', ...args]);
  return command.kind === 'explain' ? command.options : undefined;
}

describe('the options of explain', () => {
  it('have defaults', () => {
    assert.deepEqual(parse('s.dat'), {
      inputs: ['s.dat'],
      guest: undefined,
      task: undefined,
      worst: 10,
      overNs: 0,
      perfetto: undefined,
      from: undefined,
      to: undefined,
      json: false,
    });
  });

  it('select waits', () => {
    const options = parse(
      'a',
      'b',
      '--guest',
      'web',
      '--task',
      '812',
      '--worst',
      '3',
      '--over',
      '1.5ms',
      '--json',
    );
    assert.deepEqual(
      [options!.inputs, options!.guest, options!.task, options!.worst, options!.overNs, options!.json],
      [['a', 'b'], 'web', 812, 3, 1_500_000, true],
    );
    assert.equal(parse('a', '--task', 'nginx')!.task, 'nginx');
    const lengths = ['20ns', '500us', '2s'].map((over) => parse('a', '--over', over)!.overNs);
    assert.deepEqual(lengths, [20, 500_000, 2e9]);
    assert.equal(parse('a', '--perfetto', 'w.pftrace')!.perfetto, 'w.pftrace');
  });

  it('must make sense', () => {
    assertUsage(() => parse('a', '--over', '5'), /"5" is not a length of time/, /500us/);
    assertUsage(() => parse('a', '--worst', '0'), /whole number from 1 to 10000/);
    assertUsage(() => parse('a', '--worst', '10001'), /whole number from 1 to 10000/);
    assertUsage(() => parse('a', '--task', ''), /a task is empty/);
    assertUsage(() => parse('a', '--perfetto', '-'), /--perfetto: stdout has the waits/, /name a file/);
    assertUsage(() => parse('a', '--perfetto', ''), /--perfetto is empty/);
    assertUsage(() => parse(), /file/);
  });
});
