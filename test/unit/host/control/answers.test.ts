import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { BadAnswer, parseAnswer } from '../../../../src/host/control/answer-parser.ts';
import { AnswerReader, maxAnswerBytes } from '../../../../src/host/control/answer-reader.ts';
import { orderNames } from '../../../../src/protocol/control.ts';

/** Lines and payloads of a stream; a line `#N` announces N bytes. */
function read(chunks: readonly Buffer[]): { lines: string[]; payload: string } {
  const lines: string[] = [];
  let payload = '';
  const reader = new AnswerReader({
    line: (line) => {
      lines.push(line.toString('latin1'));
      return Number(/^#(\d{1,3})$/.exec(lines.at(-1) ?? '')?.[1] ?? 0);
    },
    payload: (piece) => {
      payload += piece.toString('latin1');
    },
  });
  for (const chunk of chunks) {
    reader.push(chunk);
    chunk.fill(0);
  }
  return { lines, payload };
}

describe('AnswerReader', () => {
  it('reads the same whatever the chunk boundaries', () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
      fc.nat(40).map((bytes) => Buffer.from(`\n#${bytes}\n`)),
    );
    fc.assert(
      fc.property(fc.array(piece), fc.array(fc.nat(60)), (pieces, cuts) => {
        const stream = Buffer.concat(pieces);
        const places = [...new Set([...cuts, stream.length])]
          .filter((cut) => cut <= stream.length)
          .sort((a, b) => a - b);
        const chunks = places.map((to, index) => Buffer.from(stream.subarray(places[index - 1] ?? 0, to)));
        assert.deepEqual(read(chunks), read([Buffer.from(stream)]));
      }),
    );
  });

  it('reads exactly the announced bytes, including newlines, and continues with lines', () => {
    assert.deepEqual(read([Buffer.from('a\n#5\n12\n4\nb\n\nc')]), {
      lines: ['a', '#5', 'b'],
      payload: '12\n4\n',
    });
  });

  it('discards a line beyond the limit, and nothing else', () => {
    const long = Buffer.alloc(maxAnswerBytes + 1, 'x');
    assert.deepEqual(read([long, Buffer.from('xx\nnext\n')]).lines, ['next']);
    assert.equal(
      read([Buffer.alloc(maxAnswerBytes, 'x'), Buffer.from('\n')]).lines[0]?.length,
      maxAnswerBytes,
    );
  });
});

const ring = { entries: 1, overrun: 0, commitOverrun: 0, bytes: 0, droppedEvents: 0, readEvents: 0 };
const account = { pagesIn: 1, bytesOut: 1, bytesLost: 1, stalls: 1 };
const source = { instance: 'i', clock: 'mono_raw', pageBytes: 4096 };
const good = {
  start: { ok: true, state: 'running', ...source, cpus: { 0: { bytesOut: 1, bytesHeld: 0, ring } } },
  stop: {
    ok: true,
    state: 'stopped',
    ...source,
    ledger: { 0: { ...account, bytesHeld: 0, flushed: true, ring } },
  },
  status: {
    ok: true,
    version: '1',
    uptimeMs: 1,
    state: 'running',
    ...source,
    instance: null,
    cpus: { 0: { state: 'waiting', reason: 'r', pid: null, restarts: 0, ...account, ring: null } },
  },
  metadata: { ok: true, bytes: 1, encoding: 'gzip', same: ['events/sched'] },
  ping: {
    ok: true,
    clocks: { boottime: '1', monotonicRaw: '2', realtime: '3', monotonic: '4', x86Tsc: '5' },
  },
};

/** Fields for which any text is as good as another. */
const freeTexts = new Set(['version', 'instance', 'clock']);

describe('parseAnswer', () => {
  it('returns a valid answer unchanged', () => {
    for (const order of orderNames)
      assert.deepEqual(parseAnswer(order, 'i', good[order]), { id: 'i', ...good[order] });
  });

  it('accepts any value, and refuses with a message without control characters', () => {
    fc.assert(
      fc.property(fc.constantFrom(...orderNames), fc.jsonValue(), (order, value) => {
        try {
          parseAnswer(order, 'i', value);
        } catch (error) {
          assert.ok(error instanceof BadAnswer);
          assert.doesNotMatch(error.message, /\p{Cc}/u);
          assert.ok(error.message.length < 200);
        }
      }),
    );
  });

  it('detects every field that is missing or of another type', () => {
    let broken = 0;
    for (const order of orderNames) {
      for (const path of pathsOf(good[order])) {
        if (path.at(-1) === 'reason') continue; // may be left out
        // older agents leave them out
        const older = order === 'start' ? ['cpus'] : ['same', 'monotonic', 'x86Tsc'];
        for (const value of [
          ...(older.includes(String(path[0])) || older.includes(String(path[1])) ? [] : [undefined]),
          -1,
          1.5,
          2 ** 53,
          ...(path.join('.') === 'same' ? [] : [[]]),
          'x'.repeat(30),
        ]) {
          const spoilt: unknown = structuredClone(good[order]);
          if (!setAt(spoilt, path, value)) continue;
          if (typeof value === 'string' && freeTexts.has(String(path.at(-1)))) continue;
          assert.throws(
            () => parseAnswer(order, 'i', spoilt),
            BadAnswer,
            `${order} ${path.join('.')} ${String(value)}`,
          );
          broken += 1;
        }
      }
    }
    assert.ok(broken > 200, String(broken));
  });

  it('refuses CPUs and times out of range', () => {
    for (const cpu of ['-1', '8192', '01', 'a', '__proto__', '1e3'])
      assert.throws(
        () => parseAnswer('stop', 1, { ...good.stop, ledger: JSON.parse(`{"${cpu}":{}}`) }),
        /its ledger has a key that is not the number of a CPU/,
        cpu,
      );
    for (const time of ['18446744073709551616', '-1', '0x10', '', '1.5'])
      assert.throws(
        () => parseAnswer('ping', 1, { ok: true, clocks: { ...good.ping.clocks, realtime: time } }),
        BadAnswer,
      );
  });

  it('accepts for a clock, an instance and a page size only what a kernel can have', () => {
    const read = (field: object) => parseAnswer('start', 1, { ...good.start, ...field });
    for (const clock of ['', 'a b', '[local]', 'local\n', '\x1b', 'x'.repeat(65), null])
      assert.throws(() => read({ clock }), /its clock is/);
    for (const instance of ['', '..', '.a', 'a/b', 'a\n', 'x'.repeat(65), 0])
      assert.throws(() => read({ instance }), /its instance is/);
    for (const pageBytes of [0, 4095, (1 << 20) + 1, '4096'])
      assert.throws(() => read({ pageBytes }), /its pageBytes is/);
    assert.ok(read({ clock: 'x86-tsc', instance: 'a.b-c_1', pageBytes: 65536 }).ok);
  });

  it('makes every text of the guest safe and short', () => {
    const nasty = `\x1b]0;owned\x07\u202e\r\n${'x'.repeat(5000)}`;
    const refused = parseAnswer('start', 1, { ok: false, error: { code: 'no-such-code', message: nasty } });
    assert.ok(!refused.ok);
    assert.equal(refused.error.code, 'failed');
    assert.doesNotMatch(refused.error.message, /[\p{Cc}\p{Cf}]/u);
    assert.ok(refused.error.message.length < 1100);
  });
});

function pathsOf(value: unknown, path: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [path];
  const below = Object.entries(value).flatMap(([key, entry]) => pathsOf(entry, [...path, key]));
  return path.length === 0 || /^\d+$/.test(path.at(-1) ?? '') ? below : [path, ...below];
}

/**
 * @returns false when the value is valid there
 * @returns false when the value is an honest one there
 */
function setAt(root: unknown, path: readonly string[], value: unknown): boolean {
  let at: unknown = root;
  for (const key of path.slice(0, -1))
    at = typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined;
  if (typeof at !== 'object' || at === null) return false;
  const key = path.at(-1) ?? '';
  if (value === undefined) Reflect.deleteProperty(at, key);
  else Reflect.set(at, key, value);
  return true;
}
