import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { pack as tarPack, type Header } from 'tar-stream';
import { Failure } from '../../../../src/base/failure.ts';
import { readMetadataArchive } from '../../../../src/trace/metadata/archive.ts';
import { fixture } from '../fixtures.ts';
import { thorough } from '../../../set.ts';

type Made = Partial<Header> & { name: string };

async function tarOf(...entries: readonly (readonly [Made, string?])[]): Promise<Buffer> {
  const archive = tarPack();
  for (const [header, content = ''] of entries) archive.entry(header, content);
  archive.finalize();
  const pieces: Buffer[] = [];
  for await (const piece of archive) {
    assert.ok(Buffer.isBuffer(piece));
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

async function read(...entries: readonly (readonly [Made, string?])[]): Promise<Map<string, Buffer>> {
  return readMetadataArchive([gzipSync(await tarOf(...entries))]);
}

function refusal(message: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof Failure && message.test(error.message) && error.remedy !== '';
}

describe('metadata archive', () => {
  it('returns files by name, with and without a leading ./', async () => {
    const texts = await read(
      [{ name: './', type: 'directory' }],
      [{ name: './events/', type: 'directory' }],
      [{ name: './events/header_page' }, 'page'],
      [{ name: 'events/sched/sched_switch/format' }, 'switch'],
      [{ name: 'per_cpu/cpu11/stats' }, 'stats'],
      [{ name: 'kallsyms' }, ''],
    );
    assert.deepEqual(
      [...texts].map(([name, content]) => [name, content.toString()]),
      [
        ['events/header_page', 'page'],
        ['events/sched/sched_switch/format', 'switch'],
        ['per_cpu/cpu11/stats', 'stats'],
        ['kallsyms', ''],
      ],
    );
  });

  it('reads an archive packed with tar, in chunks of any size', async () => {
    const packed = fixture('A/meta.tar.gz', 'packed');
    const pieces = [packed.subarray(0, 1), packed.subarray(1, 1000), packed.subarray(1000)];
    const texts = await readMetadataArchive(pieces);
    assert.equal([...texts.keys()].filter((name) => name.endsWith('/format')).length, 1336);
    assert.equal(texts.get('kallsyms')?.length, 3_953_473);
  });

  for (const name of [
    '../evil',
    'events/../../evil/format',
    'events/sched/sched_switch/filter',
    'per_cpu/cpu0/trace_pipe_raw',
    'per_cpu/cpux/stats',
    '.ssh',
    'kallsyms\u001b[2J',
    '\u001b]0;title\u0007',
    'instances/own/events/sched/sched_switch/format',
    'instances/own/per_cpu/cpu0/stats',
    'instances/own/trace_clock',
  ]) {
    it(`ignores the file ${JSON.stringify(name)}`, async () => {
      const texts = await read([{ name: 'events/header_page' }, 'page'], [{ name }, 'x']);
      assert.deepEqual([...texts.keys()], ['events/header_page']);
    });
  }

  for (const [system, event] of [
    ['user_events', 'a+b'],
    ['user_events', 'grüße-0{}'],
    ['kprobes', `p_${'x'.repeat(253)}`],
    ['1', '%'],
  ] as const) {
    it(`keeps the format of ${system}:${event.slice(0, 20)}`, async () => {
      const name = `events/${system}/${event}/format`;
      assert.deepEqual([...(await read([{ name }, 'x'])).keys()], [name]);
    });
  }

  for (const root of ['tracing/', './sys/kernel/tracing/', '/sys/kernel/debug/tracing/', 'a b/c/']) {
    it(`accepts tracefs packed as ${root}`, async () => {
      const texts = await read(
        [{ name: 'proc/kallsyms' }, 'symbols'],
        [{ name: `${root}trace_clock` }, '[local]'],
        [{ name: `${root}instances/own/events/header_page` }, 'another'],
        [{ name: `${root}events/header_page` }, 'page'],
        [{ name: `${root}events/sched/enable` }, '1'],
        [{ name: `${root}events/sched/sched_switch/format` }, 'switch'],
        [{ name: `${root}per_cpu/cpu0/stats` }, 'stats'],
        [{ name: `${root}README` }, 'text'],
      );
      assert.deepEqual(Object.fromEntries([...texts].map(([name, content]) => [name, content.toString()])), {
        trace_clock: '[local]',
        'events/header_page': 'page',
        'events/sched/sched_switch/format': 'switch',
        'per_cpu/cpu0/stats': 'stats',
        README: 'text',
        kallsyms: 'symbols',
      });
    });
  }

  it('reads an uncompressed tar, in chunks of any size', async () => {
    const tar = await tarOf([{ name: 'events/header_page' }, 'page']);
    for (const at of [0, 1, 2, 600]) {
      const texts = await readMetadataArchive([tar.subarray(0, at), tar.subarray(at)]);
      assert.deepEqual([...texts.keys()], ['events/header_page']);
    }
  });

  it('keeps no name with a .. or an empty component, whatever surrounds it', async () => {
    const part = fc.constantFrom('events', 'sched', '..', '', 'format', 'per_cpu', 'cpu0', 'stats', '.');
    await fc.assert(
      fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 5 }), async (parts) => {
        const name = parts.join('/');
        fc.pre(name !== '' && !name.endsWith('/'));
        const kept = await read([{ name }, 'x']).then(
          (texts) => [...texts.keys()],
          () => [],
        );
        for (const path of kept) assert.ok(!path.split('/').some((step) => step === '..' || step === ''));
      }),
      { numRuns: thorough(200) },
    );
  });

  for (const type of ['symlink', 'link', 'character-device', 'fifo', 'directory'] as const) {
    it(`ignores a ${type}`, async () => {
      const header = { name: 'kallsyms', type, linkname: '/etc/passwd' };
      assert.deepEqual(await read([header]), new Map());
    });
  }

  it('uses the later of two entries with one name, like tar', async () => {
    const texts = await read([{ name: 'uname' }, 'a'], [{ name: './uname' }, 'b']);
    assert.deepEqual([...texts].map(String), ['uname,b']);
  });

  it('refuses more than 64 MiB unpacked before it has them in memory', async () => {
    const header = await tarOf([{ name: 'kallsyms' }, 'x'.repeat(10)]);
    const claim = Buffer.from(header.subarray(0, 512));
    claim.write('77777777777\0', 124);
    claim.write('        ', 148);
    const sum = claim.reduce((total, byte) => total + byte, 0);
    claim.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    const bomb = gzipSync(Buffer.concat([claim, Buffer.alloc(80 << 20)]), { level: 1 });
    await assert.rejects(readMetadataArchive([bomb]), refusal(/unpacks to more than 64 MiB/));
  });

  it('refuses more than 64 MiB that unpack to nothing', async () => {
    const member = gzipSync('');
    const block = Buffer.concat(Array.from({ length: 52_429 }, () => member));
    const endless = Array.from({ length: 70 }, () => block);
    await assert.rejects(readMetadataArchive(endless), refusal(/is more than 64 MiB/));
  });

  it('refuses data that is not gzip, not tar, or cut off', async () => {
    const whole = gzipSync(await tarOf([{ name: 'kallsyms' }, 'x'.repeat(100_000)]));
    for (const bad of [
      Buffer.from('garbage'),
      gzipSync(Buffer.alloc(512, 7)),
      whole.subarray(0, whole.length / 2),
      gzipSync((await tarOf([{ name: 'kallsyms' }, 'x'.repeat(100_000)])).subarray(0, 50_000)),
    ]) {
      await assert.rejects(
        readMetadataArchive([bad]),
        refusal(/is not a tar of tracefs files, gzipped or not/),
      );
    }
  });

  it('refuses an empty archive', async () => {
    await assert.rejects(readMetadataArchive([]), refusal(/is empty/));
    await assert.rejects(readMetadataArchive([Buffer.alloc(0)]), refusal(/is empty/));
  });

  it('returns texts or throws a Failure, for any bytes', async () => {
    const whole = await tarOf([{ name: 'uname' }, 'Linux'], [{ name: 'events/a/b/format' }, 'name: b']);
    const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 8 }), async (changes) => {
        const tar = Buffer.from(whole);
        for (const [at, byte] of changes) tar[at] = byte;
        await readMetadataArchive([gzipSync(tar)]).catch((error: unknown) => {
          assert.ok(error instanceof Failure, String(error));
        });
      }),
      { numRuns: thorough(150) },
    );
  });
});
