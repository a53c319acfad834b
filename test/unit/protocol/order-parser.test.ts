import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { ErrorCode, TraceRequest } from '../../../src/protocol/control.ts';
import { orderNames } from '../../../src/protocol/control.ts';
import { parseLine, parseOrder } from '../../../src/protocol/order-parser.ts';
import { thorough } from '../../set.ts';
import { anyText } from '../any-text.ts';

function refusal(line: string) {
  const parsed = parseOrder(line);
  assert.equal(parsed.kind, 'refused', `obeyed: ${line.slice(0, 200)}`);
  assert.ok(parsed.kind === 'refused');
  return parsed;
}

function assertRefused(line: string, code: ErrorCode, message: RegExp): void {
  const refused = refusal(line);
  assert.equal(refused.code, code, line.slice(0, 200));
  assert.match(refused.message, message);
}

/** Filters and triggers without the blanks at both ends, as the parser returns them. */
function trimmed(order: {
  trace?: { filters?: Record<string, string>; triggers?: Record<string, string[]> };
}) {
  const { filters = {}, triggers = {} } = order.trace ?? {};
  for (const [name, filter] of Object.entries(filters)) filters[name] = filter.trim();
  for (const [name, each] of Object.entries(triggers)) triggers[name] = each.map((text) => text.trim());
  return order;
}

/** Asserts that a line is refused with a reason, or returned unchanged: nothing omitted, nothing added. */
function assertFaithful(line: string): void {
  const parsed = parseOrder(line);
  if (parsed.kind === 'refused') {
    assert.ok(parsed.message !== '');
  } else if (parsed.order.answer) {
    const { answer: _, ...said } = parsed.order;
    // converted to text first: JSON writes -0 as 0
    assert.deepEqual(JSON.parse(JSON.stringify(said)), trimmed(JSON.parse(JSON.stringify(JSON.parse(line)))));
  } else {
    assert.equal(line.trim(), parsed.order.order === 'start' ? '1' : '0');
  }
}

function startWith(trace: unknown): string {
  return JSON.stringify({ id: 7, order: 'start', trace });
}

const whole: TraceRequest = {
  instance: 'host',
  events: ['sched', 'irq:irq_handler_entry', 'xhci-hcd:xhci_urb_enqueue', 'a.b'],
  eventsOff: ['sched:sched_stat_runtime'],
  filters: { 'sched:sched_switch': 'prev_pid != 0', irq: 'irq > 3' },
  tracer: 'function_graph',
  functionFilter: ['vfs_*', '*:mod:ext4'],
  functionNotrace: ['vfs_read'],
  graphFunctions: ['__x64_sys_read'],
  clock: 'x86-tsc',
  bufferKb: 1408,
  bufferPercent: 0,
};

describe('parseOrder', () => {
  it('accepts the bare digits of the original protocol, which get no answer', () => {
    assert.deepEqual(parseOrder('1'), {
      kind: 'order',
      order: { order: 'start', id: undefined, answer: false },
    });
    assert.deepEqual(parseOrder(' 0\r'), {
      kind: 'order',
      order: { order: 'stop', id: undefined, answer: false },
    });
  });

  it('accepts every order as JSON, with a string, a number or nothing as id', () => {
    for (const order of orderNames) {
      assert.deepEqual(parseOrder(JSON.stringify({ order })), {
        kind: 'order',
        order: { order, id: undefined, answer: true },
      });
      for (const id of ['', 'x'.repeat(64), 0, -1, Number.MAX_SAFE_INTEGER]) {
        assert.deepEqual(parseOrder(JSON.stringify({ id, order })), {
          kind: 'order',
          order: { order, id, answer: true },
        });
      }
    }
  });

  it('accepts a trace with all of its fields, and with none', () => {
    for (const trace of [whole, {}]) {
      assert.deepEqual(parseOrder(startWith(trace)), {
        kind: 'order',
        order: { order: 'start', id: 7, answer: true, trace },
      });
    }
  });

  it('refuses anything but a JSON object, and answers only if the sender seems to use JSON', () => {
    const cases: [string, ErrorCode, boolean][] = [
      ['start', 'bad-json', false],
      ['2', 'bad-json', false],
      ['null', 'bad-json', false],
      ['"start"', 'bad-json', false],
      ['', 'bad-json', false],
      ['1\0', 'bad-json', false],
      ['[1]', 'not-an-object', true],
      ['{"order":"start"', 'bad-json', true],
      ["{'order':'start'}", 'bad-json', true],
    ];
    for (const [line, code, answerable] of cases) {
      const refused = refusal(line);
      assert.deepEqual([refused.code, refused.answerable, refused.id], [code, answerable, null], line);
    }
  });

  it('refuses an id that could not be returned unchanged', () => {
    for (const id of [null, true, 1.5, 2 ** 53, 'x'.repeat(65), [], {}, -(2 ** 60)]) {
      assertRefused(JSON.stringify({ id, order: 'ping' }), 'bad-id', /^id must be a string/);
    }
  });

  it('returns the id with any later refusal', () => {
    assert.equal(refusal('{"id":"a","order":"strat"}').id, 'a');
    assert.equal(refusal('{"order":"start","trace":1,"id":5}').id, 5);
  });

  it('lists the existing orders', () => {
    assertRefused('{"order":"strat"}', 'unknown-order', /start, stop, status, metadata, ping, not "strat"/);
    assertRefused('{}', 'unknown-order', /not none/);
    assertRefused('{"order":1}', 'unknown-order', /not a number/);
    assertRefused('{"order":"toString"}', 'unknown-order', /not "toString"/);
    assertRefused('{"order":["start"]}', 'unknown-order', /not an array/);
  });

  it('refuses unknown fields by name, so that a typo is noticed', () => {
    assertRefused('{"order":"start","tracee":{}}', 'unknown-field', /"tracee"/);
    assertRefused('{"order":"stop","trace":{}}', 'unknown-field', /stop has no field "trace"/);
    assertRefused(startWith({ event: [] }), 'unknown-field', /"event"; it has instance, events/);
    assertRefused(startWith({ toString: 1 }), 'unknown-field', /"toString"/);
  });

  it('checks type and range of each field of trace', () => {
    const badFunctions = [
      'vfs_read',
      {},
      [1],
      [''],
      ['a b'],
      ['a\n'],
      ['a\0'],
      ['!vfs_read'],
      ['#vfs_read'],
      ['vfs_read:traceon'],
      ['vfs_read:mod:'],
      ['vfs_read:mod:ext4:traceon'],
      ['vfs_read;'],
      ['x'.repeat(256)],
      Array.from({ length: 257 }, () => 'vfs_read'),
    ];
    const bad: Record<keyof TraceRequest, unknown[]> = {
      instance: ['', '.', '..', 'a/b', 'a\0', 'a b', '.a', 'x'.repeat(65), 3, null, ['a']],
      events: [
        'sched',
        {},
        [1],
        [null],
        [''],
        ['a:b:c'],
        ['../x'],
        ['sched:'],
        [':x'],
        ['a b'],
        ['a\n'],
        ['sched/sched_switch'],
        ['x'.repeat(256)],
        Array.from({ length: 4097 }, () => 'sched'),
      ],
      eventsOff: ['sched', [1], ['../x'], ['a\n'], Array.from({ length: 4097 }, () => 'sched')],
      functionFilter: badFunctions,
      functionNotrace: badFunctions,
      graphFunctions: [...badFunctions, ['*:mod:ext4']],
      filters: [
        [],
        'x',
        { sched: 1 },
        { sched: '' },
        { sched: ' ' },
        { sched: 'a\nb' },
        { '../x': 'a' },
        { '': 'a' },
        { sched: 'x'.repeat(4096) },
        Object.fromEntries(Array.from({ length: 513 }, (_, i) => [`e${i}`, 'x'])),
      ],
      triggers: [
        [],
        { sched: ['stacktrace'] },
        { 'a:b': 'stacktrace' },
        { 'a:b': [''] },
        { 'a:b': ['a\nb'] },
        { 'a:b': ['!stacktrace'] },
        { 'a:b': [' \t!stacktrace'] },
        { 'a:b': ['\u00a0!stacktrace'] },
        { 'a/b': ['stacktrace'] },
        { 'a:b': ['x'.repeat(4095)] },
        { 'a:b': Array.from({ length: 513 }, () => 'stacktrace') },
        { 'a:b': Array.from({ length: 256 }, () => 'x'), 'a:c': Array.from({ length: 257 }, () => 'x') },
        Object.fromEntries(Array.from({ length: 513 }, (_, i) => [`a:e${i}`, ['x']])),
      ],
      options: [
        [],
        { stacktrace: 1 },
        { '../x': true },
        { '': true },
        { 'a b': true },
        Object.fromEntries(Array.from({ length: 257 }, (_, i) => [`o${i}`, true])),
      ],
      pids: [1, ['1'], [0], [-1], [1.5], [4 * 1024 * 1024 + 1], Array.from({ length: 1025 }, () => 1)],
      children: [1, 'true', null],
      cpuMask: ['', '0x3', 'g', '-2', 'f,f', '123456789', 3, 'f'.repeat(2305)],
      maxGraphDepth: [-1, 0.5, '3', (1 << 20) + 1],
      subBufferKb: [0, 8193, '4', null],
      keep: [1, 'yes', null],
      tracer: ['', 'a b', 1, 'nop\n', '../x', 'x'.repeat(256)],
      clock: ['', 'mono raw', null, {}],
      bufferKb: [0, -1, 1.5, '1408', 16 * 1024 * 1024 + 1, null, true],
      bufferPercent: [-1, 101, 0.5, '50', null],
      printk: [1, 'true', null, {}],
    };
    for (const [field, values] of Object.entries(bad)) {
      for (const value of values) {
        assertRefused(startWith({ [field]: value }), 'bad-trace', new RegExp(`trace\\.${field}`));
      }
    }
    for (const trace of [null, 1, 'x', []])
      assertRefused(startWith(trace), 'bad-trace', /^trace must be an object/);
  });

  it('accepts values at each limit', () => {
    const atLimits: TraceRequest[] = [
      { events: Array.from({ length: 4096 }, () => 'sched') },
      { events: ['user_events:a+b', `x:${'y'.repeat(255)}`, '*'] },
      { triggers: { 'a:b': Array.from({ length: 50 }, () => 'x'.repeat(4094)) } },
      { triggers: { 'a:b': Array.from({ length: 512 }, () => 'traceoff') } },
      { filters: Object.fromEntries(Array.from({ length: 512 }, (_, i) => [`e${i}`, 'x'])) },
      { options: Object.fromEntries(Array.from({ length: 256 }, (_, i) => [`o${i}`, i % 2 === 0])) },
      { pids: Array.from({ length: 1024 }, () => 4 * 1024 * 1024), children: true },
      { cpuMask: '-1' },
      { cpuMask: `f${',ffffffff'.repeat(255)}` },
      { maxGraphDepth: 1 << 20 },
      { subBufferKb: 8192 },
      { keep: true },
      { filters: { sched: 'x'.repeat(4095) } },
      { eventsOff: Array.from({ length: 4096 }, () => 'sched:sched_switch') },
      { functionFilter: Array.from({ length: 256 }, () => 'x'.repeat(255)).slice(0, 200) },
      {
        functionFilter: ['vfs_*', '*_lock*', 'do_sys_open?t2', '[a-c]*', '[!a]*', ':mod:ext4', 'e*:mod:ext*'],
      },
      { functionNotrace: ['*:mod:e1000', 'foo.isra.0', '__x64_sys_read'] },
      { graphFunctions: Array.from({ length: 256 }, () => 'vfs_*') },
      { bufferKb: 1 },
      { bufferKb: 16 * 1024 * 1024 },
      { bufferPercent: 100 },
      { instance: 'x'.repeat(64) },
    ];
    for (const trace of atLimits) assert.equal(parseOrder(startWith(trace)).kind, 'order');
  });

  it('accepts __proto__ as an ordinary name', () => {
    assertRefused('{"order":"ping","__proto__":{"id":1}}', 'unknown-field', /"__proto__"/);
    assertRefused('{"__proto__":{"order":"ping"}}', 'unknown-order', /not none/);
    assertRefused('{"order":"start","trace":{"__proto__":{"tracer":"nop"}}}', 'unknown-field', /"__proto__"/);
    const parsed = parseOrder('{"order":"start","trace":{"filters":{"__proto__":"a == 1"}}}');
    assert.ok(parsed.kind === 'order' && parsed.order.order === 'start');
    assert.deepEqual(Object.entries(parsed.order.trace?.filters ?? {}), [['__proto__', 'a == 1']]);
    assert.equal(({} as Record<string, unknown>)['tracer'], undefined);
  });

  it('keeps its messages short and on one line, whatever it quotes', () => {
    const long = '\n\u001b[31m'.repeat(5000);
    const deep = `${'['.repeat(30_000)}${']'.repeat(30_000)}`;
    const lines = [
      long,
      JSON.stringify({ order: long }),
      JSON.stringify({ order: 'ping', [long]: 1 }),
      startWith({ [long]: 1 }),
      startWith({ events: [long] }),
      startWith({ filters: { [long]: 'x' } }),
      startWith({ tracer: long }),
      deep,
      `{"order":${deep}}`,
      `{"order":"start","trace":{"events":[${deep}]}}`,
      `{"id":${deep}}`,
    ];
    for (const line of lines) {
      const { message } = refusal(line);
      assert.ok(message.length < 600, message.slice(0, 100));
      assert.ok(!/\p{Cc}/u.test(message), message);
    }
  });

  it('accepts the parts of the metadata, and no other word', () => {
    assert.deepEqual(parseOrder('{"order":"metadata","part":"names"}'), {
      kind: 'order',
      order: { order: 'metadata', id: undefined, answer: true, part: 'names' },
    });
    for (const part of ['"some"', '1', 'null', '["all"]']) {
      const parsed = parseOrder(`{"order":"metadata","part":${part}}`);
      assert.equal(parsed.kind === 'refused' && parsed.code, 'bad-value', part);
    }
    const elsewhere = parseOrder('{"order":"stop","part":"all"}');
    assert.equal(elsewhere.kind === 'refused' && elsewhere.code, 'unknown-field');
  });

  it("accepts digests of the host's metadata, and refuses invalid ones", () => {
    const digest = '0123456789abcdef'.repeat(2);
    const order = (have: unknown) => JSON.stringify({ order: 'metadata', have });
    const have = {
      'events/sched': digest,
      'events/rcu-x.y': digest,
      kallsyms: digest,
      printk_formats: digest,
    };
    assert.deepEqual(parseOrder(order(have)), {
      kind: 'order',
      order: { order: 'metadata', id: undefined, answer: true, have },
    });
    for (const bad of [
      [],
      'all',
      1,
      null,
      { 'events/sched': 'x' },
      { 'events/sched': digest.toUpperCase() },
      { 'events/sched': `${digest}0` },
      { 'events/../x': digest },
      { events: digest },
      { ps: digest },
      { ['events/' + 'x'.repeat(65)]: digest },
      Object.fromEntries(Array.from({ length: 601 }, (_, index) => [`events/s${index}`, digest])),
    ]) {
      const parsed = parseOrder(order(bad));
      assert.equal(parsed.kind === 'refused' && parsed.code, 'bad-value', JSON.stringify(bad).slice(0, 80));
    }
  });

  it('never throws, for any line', () => {
    const value = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom<unknown>(...orderNames, 'sched', 'sched:sched_switch', 1408, whole, [], {}),
    );
    const key = fc.oneof(fc.string(), fc.constantFrom('id', 'order', 'trace', '__proto__', 'constructor'));
    const traceKey = fc.oneof(fc.constantFrom(...Object.keys(whole)), fc.string());
    const line = fc.oneof(
      anyText,
      value.map((any) => JSON.stringify(any)),
      fc.dictionary(key, value).map((any) => JSON.stringify(any)),
      fc.dictionary(traceKey, value).map(startWith),
    );
    fc.assert(
      fc.property(line, (text) => {
        assertFaithful(text);
      }),
      { numRuns: thorough(2000) },
    );
  });

  it('executes or refuses a mutated order, and never throws', () => {
    const order = startWith(whole);
    fc.assert(
      fc.property(
        fc.nat(order.length),
        fc.nat(8),
        fc.oneof(
          fc.constant(''),
          fc.constantFrom('{', '}', '[', ']', '"', ',', ':', '0', '-', '\\'),
          fc.string(),
        ),
        (at, cut, put) => {
          const mutated = order.slice(0, at) + put + order.slice(at + cut);
          assertFaithful(mutated);
        },
      ),
      { numRuns: thorough(3000) },
    );
  });
});

describe('parseLine', () => {
  it('answers a line that is too long only when it begins as JSON', () => {
    const json = parseLine({ kind: 'too-long', head: '{"order":"st' });
    const noise = parseLine({ kind: 'too-long', head: 'xxxx' });
    assert.ok(json.kind === 'refused' && noise.kind === 'refused');
    assert.deepEqual([json.code, json.answerable, json.id], ['line-too-long', true, null]);
    assert.match(json.message, /262144 bytes/);
    assert.equal(noise.answerable, false);
  });

  it('parses the text of any other line', () => {
    assert.deepEqual(parseLine({ kind: 'text', text: '1' }), parseOrder('1'));
  });
});
