import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { EventCatalogue } from '../../../../src/trace/format/event-catalogue.ts';
import { fieldOf, parseEventFormat } from '../../../../src/trace/format/event-format.ts';
import { parseFieldLine } from '../../../../src/trace/format/field.ts';
import { FormatError } from '../../../../src/trace/format/format-error.ts';
import { fixtureText, guestCatalogue, guestTexts } from '../fixtures.ts';
import { thorough } from '../../../set.ts';
import { anyText } from '../../any-text.ts';

const line = (declared: string, bytes: number): string =>
  `\tfield:${declared};\toffset:8;\tsize:${bytes};\tsigned:0;`;

describe('field line', () => {
  const shape = (declared: string, bytes: number, longBytes?: 4 | 8): string | undefined => {
    const field = parseFieldLine(line(declared, bytes), longBytes);
    return field && [field.type, field.name, field.place, field.content, field.elementBytes].join('|');
  };

  it('reads declarations as kernels write them', () => {
    assert.equal(shape('unsigned short common_type', 2), 'unsigned short|common_type|inline|integer|2');
    assert.equal(shape('char comm[16]', 16), 'char|comm|inline|text|1');
    assert.equal(shape('char buf[]', 0), 'char|buf|tail|text|1');
    assert.equal(shape('__data_loc char[] name', 4), 'char|name|data-loc|text|1');
    assert.equal(shape('__rel_loc char[] name', 4), 'char|name|rel-loc|text|1');
    assert.equal(shape('__data_loc u32[] power', 4), 'u32|power|data-loc|integers|4');
    assert.equal(shape('__data_loc cpumask_t cpumask', 4), 'cpumask_t|cpumask|data-loc|bytes|1');
    // of a synthetic event
    assert.equal(shape('__data_loc char[] name', 8), 'char|name|data-loc|text|1');
    assert.equal(shape('unsigned long caller[8]', 64), 'unsigned long|caller|inline|integers|8');
    assert.equal(shape('unsigned char addr[6]', 6), 'unsigned char|addr|inline|integers|1');
    assert.equal(shape('const char *const * argv', 8), 'const char *const *|argv|inline|integer|8');
    assert.equal(shape('void * * pages', 8), 'void * *|pages|inline|integer|8');
    assert.equal(shape('const char * fmt', 8), 'const char *|fmt|inline|integer|8');
    assert.equal(shape('struct sockaddr_in6 addr', 28), 'struct sockaddr_in6|addr|inline|bytes|1');
  });

  it('reads an array of longs at the end with the guest’s size of a long', () => {
    assert.equal(shape('unsigned long args[]', 0), 'unsigned long|args|tail|integers|8');
    assert.equal(shape('unsigned long args[]', 0, 4), 'unsigned long|args|tail|integers|4');
  });

  it('refuses invalid fields, and fields that do not fit in a record', () => {
    assert.equal(parseFieldLine('format:'), undefined);
    assert.equal(parseFieldLine('\tfield:int a;\toffset:-1;\tsize:4;\tsigned:1;'), undefined);
    assert.equal(parseFieldLine('\tfield:;\toffset:0;\tsize:4;\tsigned:1;'), undefined);
    assert.equal(shape('char big[2000000]', 2_000_000), undefined);
    assert.equal(shape('__data_loc char[] name', 2), undefined);
  });

  it('finds the parts of any declaration as a regular expression would, which takes too long for hostile ones', () => {
    const pattern = /^(?:(__data_loc|__rel_loc)\s+)?(.*?)\s*\b(\w+)\s*(\[[^\]]*\])?$/;
    const last = /\s*\[[^\]]*\]$/;
    const piece = fc.constantFrom(
      '__data_loc',
      '__rel_loc',
      ' ',
      '\t',
      '[',
      ']',
      '[3]',
      '[]',
      '[N]',
      'a',
      'int',
      'char',
      '*',
      '!',
      '\xa0',
      'é',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const declared = pieces.join('');
        const found = parseFieldLine(line(declared, 4));
        const [all, loc, type = '', name, brackets] = pattern.exec(declared.trim()) ?? [];
        assert.equal(found === undefined, declared === '' || all === undefined, declared);
        if (found === undefined) return;
        const isArray = brackets !== undefined || last.test(type);
        assert.deepEqual([found.name, found.type, found.isArray], [name, type.replace(last, ''), isArray]);
        assert.equal(
          found.place,
          loc === undefined ? 'inline' : loc === '__data_loc' ? 'data-loc' : 'rel-loc',
        );
      }),
      { numRuns: thorough(100_000) },
    );
  });

  it('refuses an overlong line, quickly: a guest could keep the host busy for hours', () => {
    // the minimum of several runs: this machine may be busy
    let leastMs = Number.POSITIVE_INFINITY;
    for (let tries = 0; leastMs >= 500 && tries < 5; tries += 1) {
      const startedMs = performance.now();
      assert.equal(shape(`int a${' '.repeat(60_000)}!`, 4), undefined);
      leastMs = Math.min(leastMs, performance.now() - startedMs);
    }
    assert.ok(leastMs < 500, `${leastMs} ms`);
  });
});

describe('event format', () => {
  it('separates common fields from the event’s own', () => {
    const format = parseEventFormat('kvm', fixtureText('kvm-format/kvm_entry'));
    assert.deepEqual([format.fullName, format.id], ['kvm:kvm_entry', 30_001]);
    assert.deepEqual(
      format.commonFields.map((field) => field.name),
      ['common_type', 'common_flags', 'common_preempt_count', 'common_pid'],
    );
    assert.deepEqual(
      format.fields.map((field) => `${field.name} ${field.offset}+${field.bytes}`),
      ['vcpu_id 8+4', 'rip 16+8', 'immediate_exit 24+1', 'intr_info 28+4', 'error_code 32+4'],
    );
    assert.ok(format.printFormat.startsWith('"vcpu %u, rip'));
    assert.ok(format.printFormat.endsWith('"[immediate exit]" : ""'));
    assert.equal(fieldOf(format, 'common_pid')?.signed, true);
    assert.equal(fieldOf(format, 'nothing'), undefined);
  });

  it('keeps a print format of several lines', async () => {
    const text = (await guestTexts()).get('events/ras/aer_event/format') ?? '';
    assert.match(text, /print fmt:[^\n]*\n[^\n]+/);
    const { printFormat } = parseEventFormat('ras', text);
    assert.equal(printFormat, text.slice(text.indexOf('print fmt:') + 10).trim());
  });

  it('reads all 1,336 formats of a stock kernel, with every field', async () => {
    const texts = await guestTexts();
    const catalogue = await guestCatalogue();
    assert.deepEqual(catalogue.malformed, []);
    assert.equal(catalogue.size, 1336);
    const ids = new Map<string, number>();
    for (const [path, text] of texts) {
      const match = /^events\/([^/]+)\/([^/]+)\/format$/.exec(path);
      if (!match) continue;
      const format = catalogue.byName(`${match[1]}:${match[2]}`);
      assert.ok(format, path);
      ids.set(format.fullName, format.id);
      assert.equal(catalogue.byId(format.id), format);
      assert.equal(format.commonFields.length, 4, path);
      assert.equal(format.fields.length + 4, text.split('\tfield:').length - 1, path);
      for (const field of format.fields) {
        assert.match(field.name, /^[A-Za-z_]\w*$/);
        assert.ok(field.type.length > 0, `${path} ${field.name}`);
      }
    }
    assert.equal(ids.size, 1336);
    assert.equal(ids.get('ftrace:print'), 5);
  });

  it('names what it cannot read', () => {
    const good = fixtureText('kvm-format/kvm_entry');
    const faulty: [string, RegExp][] = [
      ['', /no line "name:"/],
      [good.replace('kvm_entry', 'x'.repeat(1000)), /no line "name:"/],
      [good.replace(/^ID:.*/m, ''), /kvm_entry: no line "ID:"/],
      [good.replace(/^ID:.*/m, 'ID: 65536'), /no line "ID:"/],
    ];
    for (const [text, message] of faulty) {
      assert.throws(
        () => parseEventFormat('kvm', text),
        (error) => error instanceof FormatError && message.test(error.message),
      );
    }
  });

  it('skips an unreadable field, and keeps the others', () => {
    const good = fixtureText('kvm-format/kvm_entry');
    const names = (text: string) => parseEventFormat('kvm', text).fields.map(({ name }) => name);
    const odd = good.replace(
      /^\tfield:.*\brip;.*$/m,
      '\tfield:struct { u32 a; u32 b; } rip;\toffset:-8;\tsize:8;',
    );
    assert.notEqual(odd, good);
    assert.deepEqual(
      names(odd),
      names(good).filter((name) => name !== 'rip'),
    );
    assert.deepEqual(parseEventFormat('kvm', odd).unread, [
      'field:struct { u32 a; u32 b; } rip;\toffset:-8;\tsize:8;',
    ]);
    const { id, fields, commonFields } = parseEventFormat('kvm', good.replaceAll(/^\tfield.*\n/gm, ''));
    assert.deepEqual([id, fields, commonFields], [30_001, [], []]);
  });

  it('throws only FormatError, for any text', () => {
    const good = fixtureText('kvm-format/kvm_entry');
    const text = fc.oneof(
      anyText,
      fc
        .tuple(fc.nat(good.length), fc.nat(40), fc.string({ maxLength: 20 }))
        .map(([at, cut, put]) => good.slice(0, at) + put + good.slice(at + cut)),
    );
    fc.assert(
      fc.property(text, (text) => {
        try {
          parseEventFormat('kvm', text);
        } catch (error) {
          assert.ok(error instanceof FormatError);
        }
      }),
      { numRuns: thorough(500) },
    );
  });
});

describe('event catalogue', () => {
  const entry = fixtureText('kvm-format/kvm_entry');
  const exit = fixtureText('kvm-format/kvm_exit');

  it('finds format files among other paths, and lists the malformed ones', () => {
    const catalogue = new EventCatalogue([
      ['events/header_page', 'x'],
      ['kallsyms', 'x'],
      ['events/kvm/kvm_entry/format', entry],
      ['./events/kvm/broken/format', 'x'],
      ['./events/kvm/kvm_exit/format', exit],
    ]);
    assert.deepEqual(
      [...catalogue.formats()].map((format) => format.fullName),
      ['kvm:kvm_entry', 'kvm:kvm_exit'],
    );
    assert.deepEqual(
      catalogue.malformed.map((error) => error.what),
      ['format of kvm:?'],
    );
  });

  it('keeps the first of two events with one id', () => {
    const catalogue = new EventCatalogue([
      ['events/kvm/kvm_entry/format', entry],
      ['events/kvm/kvm_again/format', entry.replace('kvm_entry', 'kvm_again')],
    ]);
    assert.equal(catalogue.byId(30_001)?.name, 'kvm_entry');
    assert.equal(catalogue.byName('kvm:kvm_again'), undefined);
    assert.match(
      catalogue.malformed[0]?.message ?? '',
      /kvm:kvm_again: id 30001 already belongs to kvm:kvm_entry/,
    );
  });

  it('reports for an event with an odd field what it could not read, and keeps the event', () => {
    const odd = entry.replace('size:8', 'size:x');
    const catalogue = new EventCatalogue([['events/kvm/kvm_entry/format', odd]]);
    assert.equal(catalogue.byId(30_001)?.name, 'kvm_entry');
    assert.match(
      catalogue.malformed[0]?.message ?? '',
      /^format of kvm:kvm_entry: cannot parse the line ".*rip/,
    );
  });

  it('one format with odd common fields does not affect all others', () => {
    const odd = entry.replace(/(short common_type;\s*offset:)0/, '$1100').replace('30001', '30002');
    const exit = entry.replace('30001', '30003').replace('kvm_entry', 'kvm_exit');
    const catalogue = new EventCatalogue([
      ['events/kvm/odd/format', odd.replace('kvm_entry', 'odd')],
      ['events/kvm/kvm_entry/format', entry],
      ['events/kvm/kvm_exit/format', exit],
    ]);
    assert.equal(catalogue.common.type.offset, 0);
  });

  it('finds the common fields, with or without formats', () => {
    const moved = entry
      .replace(/(int common_pid;\s*offset:)4/, '$112')
      .replace(/(short common_type;\s*offset:)0/, '$110');
    const { common } = new EventCatalogue([['events/kvm/kvm_entry/format', moved]]);
    assert.deepEqual([common.type.offset, common.pid.offset], [10, 12]);
    assert.equal(new EventCatalogue().common.pid.offset, 4);
    assert.equal(new EventCatalogue().common.type.bytes, 2);
  });
});
