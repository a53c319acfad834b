import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { LineColors, wantsColor } from '../../../../src/cli/report/line-colors.ts';

const systems = new Map([
  ['sched_switch', 'sched'],
  ['softirq_entry', 'irq'],
  ['kfree', 'kmem'],
]);

function colored(...pieces: string[]): string {
  const colors = new LineColors(systems);
  return pieces.map((piece) => Buffer.from(colors.color(Buffer.from(piece))).toString()).join('');
}

/** Escape sequences as names in angle brackets. */
function named(text: string): string {
  const names: Record<string, string> = { 0: '</>', 2: '<dim>', 31: '<red>', 33: '<yellow>', 36: '<cyan>' };
  // oxlint-disable-next-line no-control-regex -- the escape sequences of colors
  return text.replace(/\x1b\[(\d+)m/g, (_, code: string) => names[code] ?? `<${code}>`);
}

// oxlint-disable-next-line no-control-regex -- the escape sequences of colors
const plain = (text: string): string => text.replace(/\x1b\[\d+m/g, '');

describe('colors of a report', () => {
  it('are dim for CPU and time, and those of its system for an event', () => {
    for (const [line, expected] of [
      [
        '          <idle>-0     [000]    49.043660: sched_switch:         a:1 [120] S ==> b:2 [120]',
        '          <idle>-0     <dim>[000]    49.043660</>: <cyan>sched_switch</>:         a:1 [120] S ==> b:2 [120]',
      ],
      [
        '      web.dat:   my task-12    [001] 106467.859747123: softirq_entry: vec=1',
        '      web.dat:   my task-12    <dim>[001] 106467.859747123</>: <yellow>softirq_entry</>: vec=1',
      ],
      [
        '  <idle>-0       0d.h1. 106467.859747: kfree: x',
        '  <idle>-0       <dim>0d.h1. 106467.859747</>: kfree: x',
      ],
      ['sh-1 [000]  123456: sched_switch: x', 'sh-1 <dim>[000]  123456</>: <cyan>sched_switch</>: x'],
      [
        'sh-1 [000]  12.000001: (+17)    sched_switch: x',
        'sh-1 <dim>[000]  12.000001</>: (+17)    <cyan>sched_switch</>: x',
      ],
      [
        'sh-1 [000]  12.000001:          sched_switch: x',
        'sh-1 <dim>[000]  12.000001</>:          <cyan>sched_switch</>: x',
      ],
      ['CPU:0 [12 EVENTS DROPPED]', '<red>CPU:0 [12 EVENTS DROPPED]</>'],
      ['web.dat: CPU:10 [EVENTS DROPPED]', '<red>web.dat: CPU:10 [EVENTS DROPPED]</>'],
      ['=> vfs_write (ffffffff810a8758)', '=> vfs_write (ffffffff810a8758)'],
      ['cpus=2', 'cpus=2'],
    ] as const)
      assert.equal(named(colored(`${line}\n`)), `${expected}\n`);
  });

  it('change no other byte, and are the same however the lines are cut', () => {
    const line = fc.array(
      fc.constantFrom(
        'sh-1 ',
        '[000] ',
        ' 1.5',
        ': ',
        'sched_switch',
        'CPU:1 [EVENTS DROPPED]',
        'é',
        '-7',
        '\n',
      ),
    );
    fc.assert(
      fc.property(line, fc.nat(), (words, cut) => {
        const text = `${words.join('')}\n`;
        const whole = colored(text);
        assert.equal(plain(whole), text);
        const bytes = Buffer.from(text);
        const at = cut % bytes.length;
        const colors = new LineColors(systems);
        const pieces = [bytes.subarray(0, at), bytes.subarray(at)].map((piece) => colors.color(piece));
        assert.equal(Buffer.concat(pieces).toString(), whole);
      }),
    );
  });

  it('take no longer for a line that was made for that', { timeout: 10_000 }, () => {
    for (const piece of ['-1 ', '-1 [0', '1', '-1 1', ' ', '[', ': ', '-1 1.1: '])
      for (let turn = 0; turn < 8; turn++) {
        const line = `${piece.repeat((1 << 18) / piece.length)}\n`;
        assert.equal(plain(colored(line)).length, line.length);
      }
  });

  it('are wanted on a terminal, or as the option and the environment say', () => {
    assert.equal(wantsColor('auto', true, {}), true);
    assert.equal(wantsColor('auto', false, {}), false);
    assert.equal(wantsColor('auto', true, { TERM: 'dumb' }), false);
    assert.equal(wantsColor('auto', true, { NO_COLOR: '1' }), false);
    assert.equal(wantsColor('auto', true, { NO_COLOR: '' }), true);
    assert.equal(wantsColor('auto', false, { FORCE_COLOR: '1' }), true);
    assert.equal(wantsColor('auto', false, { FORCE_COLOR: '1', NO_COLOR: '1' }), true);
    for (const off of ['0', 'false']) assert.equal(wantsColor('auto', true, { FORCE_COLOR: off }), false);
    assert.equal(wantsColor('always', false, { NO_COLOR: '1', FORCE_COLOR: '0' }), true);
    assert.equal(wantsColor('never', true, { FORCE_COLOR: '1' }), false);
  });
});
