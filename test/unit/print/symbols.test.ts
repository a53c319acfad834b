import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseFunctions } from '../../../src/print/symbols/function-map.ts';
import { PrintkFormats } from '../../../src/print/symbols/printk-formats.ts';
import { PrintTaskNames } from '../../../src/print/symbols/task-names.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

describe('functions', () => {
  const found = (text: string, address: bigint): string | undefined => {
    const map = parseFunctions(bytes(text));
    const index = map.find(Number(address >> 32n), Number(address & 0xffffffffn));
    return index < 0
      ? undefined
      : Buffer.from(map.text).toString('latin1', map.nameStart(index), map.nameEnd(index));
  };
  const three = 'ffffffff81000200 t second\t[module]\nffffffff81000100 T first\nffffffff81000300 T third\n';

  it('are found by the addresses in them, in any order of the lines', () => {
    for (const [address, name] of [
      [0xffffffff81000100n, 'first'],
      [0xffffffff810001ffn, 'first'],
      [0xffffffff81000200n, 'second'],
      [0xffffffff810002ffn, 'second'],
      [0xffffffff81000300n, 'third'],
      [0xffffffff810000ffn, undefined],
      [0n, undefined],
    ] as const)
      assert.equal(found(three, address), name, address.toString(16));
  });

  it('behind the last one there is none', () => {
    assert.equal(found(three, 0xffffffff81000301n), undefined);
  });

  it('at one address the last one of the file comes first', () => {
    const map = parseFunctions(bytes('1000 T one\n1000 T two\n2000 T end\n'));
    assert.deepEqual(
      [0, 1, 2].map((index) =>
        Buffer.from(map.text).toString('latin1', map.nameStart(index), map.nameEnd(index)),
      ),
      ['two', 'one', 'end'],
    );
    assert.equal(map.size, 3);
  });

  it('addresses are compared over all 64 bits, unsigned', () => {
    const map = parseFunctions(
      bytes('ffffffff80000000 T high\n7fffffff T low\n80000000 T middle\n100000000 T above\n'),
    );
    assert.deepEqual(
      [0, 1, 2, 3].map((index) => map.address(index)),
      [0x7fffffffn, 0x80000000n, 0x100000000n, 0xffffffff80000000n],
    );
    assert.equal(map.addressOf('high'), 0xffffffff80000000n);
    assert.equal(map.addressOf('none'), undefined);
  });

  it('absolute symbols and marks are skipped', () => {
    const map = parseFunctions(
      bytes('10 A absolute\n20 a absolute_too\n30 t $x.5\n\n40 T real\n50 d data\n'),
    );
    assert.equal(map.size, 2);
    assert.equal(map.addressOf('real'), 0x40n);
    assert.equal(map.addressOf('absolute'), undefined);
    assert.equal(map.addressOf('$x.5'), undefined);
  });

  it('nothing is read after a line that is none', () => {
    for (const bad of ['not a line', '50', '50 T', '\0'])
      assert.equal(
        parseFunctions(bytes(`40 T real\n${bad}\n60 T later\n`)).addressOf('later'),
        undefined,
        bad,
      );
    assert.equal(parseFunctions(bytes('')).size, 0);
    assert.equal(parseFunctions(bytes('40 T unended')).addressOf('unended'), 0x40n);
  });
});

describe('texts of trace_printk', () => {
  it('lose their quotes and one newline', () => {
    const formats = new PrintkFormats(
      bytes('0xffffffff82000040 : "two\\n"\n0x10 : "a: \\"b\\" \\n\\n"\n0x20 : plain\nnonsense\nzz : "x"\n'),
    );
    const text = (address: bigint): string | undefined =>
      formats.get(address) && String(formats.get(address));
    assert.equal(text(0xffffffff82000040n), 'two');
    assert.equal(text(0x10n), 'a: \\"b\\" \\n');
    assert.equal(text(0x20n), 'plain');
    assert.equal(text(0x30n), undefined);
    assert.deepEqual(
      formats.entries().map(([address]) => address),
      [0x10n, 0x20n, 0xffffffff82000040n],
    );
  });
});

describe('names of tasks', () => {
  const label = (names: PrintTaskNames, pid: number, cpu = 0): string => String(names.label(pid, cpu));

  it('begin a line', () => {
    const names = new PrintTaskNames(
      [
        [7, bytes('a-task')],
        [70000, bytes('seventeen-letters')],
      ],
      false,
    );
    assert.equal(label(names, 7, 3), '          a-task-7     [003]');
    assert.equal(label(names, 70000, 1234), 'seventeen-letters-70000 [1234]');
    assert.equal(label(names, 0), '          <idle>-0     [000]');
    assert.equal(label(names, 8), '           <...>-8     [000]');
    assert.equal(label(names, -1), '           <...>--1    [000]');
  });

  it('are short in the latency format', () => {
    const names = new PrintTaskNames(
      [
        [7, bytes('a-long-name')],
        [8, bytes('x')],
      ],
      true,
    );
    assert.equal(label(names, 7, 3), 'a-long-n-7       3');
    assert.equal(label(names, 8, 12), '       x-8      12');
  });

  it('are learned once, and change the label that was already printed', () => {
    const names = new PrintTaskNames([[7, bytes('known')]], false);
    assert.equal(label(names, 9, 1), '           <...>-9     [001]');
    const source = bytes('..learned..');
    names.learn(9, source, 2, 9);
    names.learn(7, source, 2, 9);
    names.learn(0, source, 2, 9);
    source.fill(0x21);
    assert.equal(label(names, 9, 1), '         learned-9     [001]');
    assert.equal(label(names, 7), '           known-7     [000]');
    assert.equal(label(names, 0), '          <idle>-0     [000]');
    assert.deepEqual(names.pidsOf('learned'), [9]);
  });

  it('of more tasks than are kept are still right', () => {
    const names = new PrintTaskNames([[7, bytes('a-task')]], false);
    for (let pid = 1; pid <= 25_000; pid++) names.label(pid, 0);
    assert.equal(label(names, 7), '          a-task-7     [000]');
    assert.equal(label(names, 24_999), '           <...>-24999 [000]');
  });
});
