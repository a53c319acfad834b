import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { Line } from '../../../src/protocol/line-reader.ts';
import { LineReader, maxLineBytes } from '../../../src/protocol/line-reader.ts';
import { thorough } from '../../set.ts';

function linesOf(...chunks: readonly (string | Uint8Array)[]): Line[] {
  const reader = new LineReader();
  return chunks.flatMap((chunk) => reader.push(Buffer.from(chunk)));
}

function texts(lines: readonly Line[]): string[] {
  return lines.map((line) => (line.kind === 'text' ? line.text : `too long: ${line.head}`));
}

/** Bytes that matter here: often newlines, blanks, digits and JSON, sometimes anything else. */
const hostileBytes = fc
  .array(
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc.constantFrom('\n', '\r\n', ' ', '\t', '1', '0', '{', '}', '{"order":"ping"}', 'é'),
      },
      {
        weight: 1,
        arbitrary: fc.constantFrom('x'.repeat(maxLineBytes), 'y'.repeat(maxLineBytes - 3), '1'.repeat(99)),
      },
      { weight: 3, arbitrary: fc.uint8Array({ maxLength: 5 }) },
    ),
    { maxLength: 30 },
  )
  .map((parts) => Buffer.concat(parts.map((part) => Buffer.from(part))));

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let from = 0;
  for (let turn = 0; from < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    chunks.push(bytes.subarray(from, from + size));
    from += size;
  }
  return chunks;
}

describe('LineReader', () => {
  it('returns the orders of several echos in one read, and of one in several', () => {
    assert.deepEqual(texts(linesOf('1\n0\n')), ['1', '0']);
    assert.deepEqual(texts(linesOf('{"or', 'der":"pi', 'ng"}\n')), ['{"order":"ping"}']);
  });

  it('joins a character that is split over two reads', () => {
    const bytes = Buffer.from('é\n');
    assert.deepEqual(texts(linesOf(bytes.subarray(0, 1), bytes.subarray(1))), ['é']);
  });

  it('accepts CRLF and blanks around a line, and ignores empty lines', () => {
    assert.deepEqual(texts(linesOf('\r\n \t\n  1 \r\n\n\n{"id": 1} \r\n')), ['1', '{"id": 1}']);
  });

  it('takes a run of digits as that many orders', () => {
    assert.deepEqual(texts(linesOf('1', '0', '\n')), ['1', '0']);
    assert.deepEqual(texts(linesOf('110\n12\n1 0\n')), ['1', '1', '0', '12', '1 0']);
  });

  it('keeps NUL and invalid UTF-8 within their own line', () => {
    assert.deepEqual(texts(linesOf(Buffer.from([0x31, 0, 0x0a, 0xff, 0xc3, 0x0a, 0x30, 0x0a]))), [
      '1\0',
      '\ufffd\ufffd',
      '0',
    ]);
  });

  it('keeps no reference to the chunk', () => {
    const reader = new LineReader();
    const chunk = Buffer.from('{"order"');
    reader.push(chunk);
    chunk.fill('#');
    assert.deepEqual(texts(reader.push(Buffer.from(':1}\n'))), ['{"order":1}']);
  });

  describe('a line over the limit', () => {
    it('is reported once, with its beginning, and discarded up to its newline', () => {
      const reader = new LineReader();
      const told = [];
      for (let turn = 0; turn < 100; turn++) told.push(...reader.push(Buffer.alloc(4096, '{"a":[')));
      assert.deepEqual(
        told.map((line) => line.kind),
        ['too-long'],
      );
      assert.match(texts(told)[0] ?? '', /^too long: \{"a":\[\{"a":\[/);
      assert.deepEqual(
        texts(reader.push(Buffer.from('1\n1\n'))),
        ['1'],
        'the first 1 belongs to the long line',
      );
    });

    it('begins one byte above the limit', () => {
      assert.deepEqual(linesOf(`${'x'.repeat(maxLineBytes)}\n`), [
        { kind: 'text', text: 'x'.repeat(maxLineBytes) },
      ]);
      assert.equal(linesOf(`${'x'.repeat(maxLineBytes + 1)}\n`)[0]?.kind, 'too-long');
    });

    it('may have bare orders up to their limit, and no more', () => {
      assert.equal(linesOf(`${'1'.repeat(65_536)}\n`).length, 65_536);
      const [line, ...more] = linesOf(`${'10'.repeat(32_768)}1\n`);
      assert.deepEqual([line?.kind, more.length], ['too-long', 0]);
    });

    it('has the same head at any chunk boundaries', () => {
      const line = `{"order":"start",${' '.repeat(maxLineBytes)}`;
      assert.deepEqual(linesOf('{"o', line.slice(3)), linesOf(line));
      assert.deepEqual(linesOf(...cut(Buffer.from(line), [7])), linesOf(line));
    });

    it('does not count as pending bare orders', () => {
      const reader = new LineReader();
      reader.push(Buffer.from('x'.repeat(maxLineBytes + 1)));
      reader.push(Buffer.from('1'));
      assert.equal(reader.pendingIsBareOrder, false);
      assert.deepEqual(reader.flushSilence(), []);
    });
  });

  describe('a silence', () => {
    it('completes an order of digits without a newline', () => {
      const reader = new LineReader();
      assert.deepEqual(reader.push(Buffer.from(' 1')), []);
      assert.equal(reader.pendingIsBareOrder, true);
      assert.deepEqual(texts(reader.flushSilence()), ['1']);
      assert.equal(reader.pendingIsBareOrder, false);
      assert.deepEqual(texts(reader.push(Buffer.from('\n0\n'))), ['0'], 'a late newline is no order');
    });

    it('completes two orders of printf 1; printf 0', () => {
      const reader = new LineReader();
      reader.push(Buffer.from('1'));
      reader.push(Buffer.from('0 '));
      assert.deepEqual(texts(reader.flushSilence()), ['1', '0']);
    });

    it('leaves anything else waiting for its newline', () => {
      for (const start of ['{"order":', '2', '1 0', '1x', ' ']) {
        const reader = new LineReader();
        reader.push(Buffer.from(start));
        assert.equal(reader.pendingIsBareOrder, false, start);
        assert.deepEqual(reader.flushSilence(), [], start);
        assert.deepEqual(texts(reader.push(Buffer.from('z\n'))), [`${start}z`.trim()], start);
      }
    });
  });

  describe('any input', () => {
    it('yields the same lines at any chunk boundaries', () => {
      fc.assert(
        fc.property(
          hostileBytes,
          fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1 }),
          (bytes, sizes) => {
            const reader = new LineReader();
            const lines: Line[] = [];
            for (const chunk of cut(bytes, sizes)) {
              lines.push(...reader.push(chunk));
            }
            assert.deepEqual(lines, linesOf(bytes));
          },
        ),
        { numRuns: thorough(300) },
      );
    });

    it('followed by a newline and an order yields the order', () => {
      fc.assert(
        fc.property(hostileBytes, fc.constantFrom('1', '0', '{"order":"stop"}'), (garbage, order) => {
          const lines = linesOf(garbage, `\n${order}\n`);
          assert.deepEqual(lines.at(-1), { kind: 'text', text: order });
        }),
        { numRuns: thorough(300) },
      );
    });
  });
});
