import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { symbolsIn, symbolsOf } from '../../../../src/trace/metadata/symbols.ts';

const shown = '0000000000000000 A fixed_percpu_data\nffffffff81000000 T _text\n';
const zeros = '0000000000000000 A fixed_percpu_data\n0000000000000000 T _text\n';
const texts = (files: Readonly<Record<string, string>>) =>
  new Map(Object.entries(files).map(([name, text]) => [name, Buffer.from(text)]));

describe('symbols of a guest', () => {
  it('have addresses, are hidden, or are missing', () => {
    assert.equal(symbolsIn(Buffer.from(shown)), 'shown');
    assert.equal(symbolsIn(Buffer.from(zeros)), 'hidden');
    assert.equal(symbolsIn(Buffer.from(zeros.slice(0, 60))), 'hidden');
    for (const none of ['', '\n', 'no symbols\n', '\xff\0'])
      assert.equal(symbolsIn(Buffer.from(none)), 'missing');
  });

  it('count as hidden if an agent checked for them and sent none', () => {
    assert.equal(symbolsOf(texts({ kptr_restrict: '2\n' })), 'hidden');
    assert.equal(symbolsOf(texts({})), 'missing');
    assert.equal(symbolsOf(texts({ kptr_restrict: '2\n', kallsyms: shown })), 'shown');
  });
});
