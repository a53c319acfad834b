// @first 100,000 inputs

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LineReader } from '../../../src/protocol/line-reader.ts';
import { parseLine } from '../../../src/protocol/order-parser.ts';
import { HostileInput } from './hostile-input.ts';
import { thorough } from '../../set.ts';

const inputs = thorough(100_000);
/** An input has at most 300 KB, so linear processing only takes this long when the machine is busy. */
const mostMs = 500;

/** Parses an input in two pieces, cut anywhere, as reads would cut it. */
function parsedBy(reader: LineReader, input: Uint8Array, index: number): ReturnType<typeof parseLine>[] {
  const cut = index % (input.length + 1);
  const lines = [...reader.push(input.subarray(0, cut)), ...reader.push(input.subarray(cut))];
  if (index % 3 === 0) lines.push(...reader.flushSilence());
  lines.push(...reader.push(Buffer.from('\n')));
  return lines.map(parseLine);
}

describe(`${inputs} random and mutated inputs`, () => {
  it('are each refused or executed, at once, and the order after each is always executed', () => {
    const seed = Date.now() >>> 0;
    const hostile = new HostileInput(seed);
    const reader = new LineReader();
    let slowestMs = 0;
    let refused = 0;
    let obeyed = 0;
    for (let index = 0; index < inputs; index += 1) {
      const input = hostile.next();
      const from = performance.now();
      const parsed = parsedBy(reader, input, index);
      if (parsed.some(({ kind }) => kind === 'order')) obeyed += 1;
      for (const line of parsed) {
        if (line.kind === 'order') continue;
        refused += 1;
        assert.ok(line.message.length < 1000, `seed ${seed}, input ${index}: a message without end`);
      }
      let tookMs = performance.now() - from;
      for (let tries = 0; tookMs >= mostMs && tries < 5; tries += 1) {
        const againMs = performance.now();
        parsedBy(new LineReader(), input, index);
        tookMs = performance.now() - againMs;
      }
      slowestMs = Math.max(slowestMs, tookMs);
      const [next, ...more] = reader.push(Buffer.from(`{"id":${index},"order":"ping"}\n`));
      assert.deepEqual(more, []);
      assert.ok(next, `seed ${seed}, input ${index}: the next order is not heard`);
      assert.deepEqual(
        parseLine(next),
        { kind: 'order', order: { order: 'ping', id: index, answer: true } },
        `seed ${seed}, input ${index}`,
      );
    }
    console.log({ seed, refused, obeyed, slowestMs });
    assert.ok(slowestMs < mostMs, `seed ${seed}: one took ${slowestMs} ms`);
    assert.ok(refused > inputs / 10 && obeyed > inputs / 10, 'both sides of the parser were tried');
  });
});
