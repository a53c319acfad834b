import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mergeMetadata } from '../../../../src/trace/recording/recording-metadata.ts';
import { sampleContents } from '../samples.ts';

const untold = { pageBytes: null, cpus: [] };

function format(name: string, id: number, field = 'int a', print = '"%d", REC->a'): Buffer {
  return Buffer.from(
    `name: ${name}\nID: ${id}\nformat:\n\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n` +
      `\tfield:${field};\toffset:8;\tsize:4;\tsigned:1;\n\nprint fmt: ${print}\n`,
  );
}

function files(entries: Readonly<Record<string, Buffer | string>>): Map<string, Buffer> {
  return new Map(Object.entries(entries).map(([name, content]) => [name, Buffer.from(content)]));
}

describe('metadata of a recording', () => {
  it("takes the instance's own files from the instance, and the rest from the start", async () => {
    const start = await sampleContents('A');
    const header = start.get('events/header_page')!.toString().replace('size:4080', 'size:8176');
    const instance = files({
      'events/header_page': header,
      trace_clock: 'local [boot]\n',
      kallsyms: 'ffff T not_its_own\n',
      'events/sched/sched_switch/format': format('sched_switch', 1),
    });
    const { metadata } = mergeMetadata(start, instance, undefined, untold);
    assert.equal(metadata.layout.pageBytes, 8192);
    assert.equal(metadata.clock, 'boot');
    assert.equal(metadata.headerPage.toString(), header);
    assert.ok(metadata.kallsyms.equals(start.get('kallsyms')!));
    assert.equal(metadata.catalogue.size, 1336);
    assert.notEqual(metadata.catalogue.byName('sched:sched_switch')?.id, 1);
  });

  it('uses the page size that the agent reported if it reported nothing else', async () => {
    const start = await sampleContents('A');
    for (const pageBytes of [4096, 8192, 65_536]) {
      const { metadata } = mergeMetadata(start, undefined, undefined, { pageBytes, cpus: [] });
      assert.equal(metadata.layout.pageBytes, pageBytes);
      assert.match(
        metadata.headerPage.toString(),
        new RegExp(`char data;\\s*offset:16;\\s*size:${pageBytes - 16};`),
      );
    }
    const { metadata } = mergeMetadata(start, undefined, undefined, { pageBytes: 5000, cpus: [] });
    assert.equal(metadata.layout.pageBytes, 4096, 'what no kernel has is not believed');
  });

  it("has the recording's own counts for trace-cmd report --stat", async () => {
    const ring = { entries: 0, overrun: 3, commitOverrun: 0, droppedEvents: 1, readEvents: 77 };
    const start = await sampleContents('A');
    const { metadata } = mergeMetadata(start, undefined, start, {
      pageBytes: null,
      cpus: [{ cpu: 0, bytes: 1, ring }],
    });
    assert.match(
      metadata.stats.get(0) ?? '',
      /^entries: 0\noverrun: 3\n.*dropped events: 1\nread events: 77\n$/s,
    );
    assert.match(metadata.stats.get(1) ?? '', /^overrun: \d/m, 'nobody told of this one');
  });

  it('has events of both ends, including those removed and those added', async () => {
    const start = new Map([
      ...(await sampleContents('A')),
      ['events/kprobes/early/format', format('early', 3000)] as const,
      ['events/kprobes/again/format', format('again', 3001)] as const,
    ]);
    const end = files({
      'events/kprobes/late/format': format('late', 3002),
      'events/kprobes/again/format': format('again', 3003, 'int b'),
      'events/synthetic/made/format': format('made', 3004),
      trace_clock: 'local [mono]\n',
      saved_cmdlines: '77 late\n',
      'per_cpu/cpu0/stats': 'overrun: 1\n',
    });
    const { metadata, reusedIds } = mergeMetadata(start, undefined, end, untold);
    const names = [3000, 3001, 3002, 3003, 3004].map((id) => metadata.catalogue.byId(id)?.fullName);
    assert.deepEqual(names, [
      'kprobes:early',
      'kprobes:again',
      'kprobes:late',
      'kprobes:again',
      'synthetic:made',
    ]);
    assert.deepEqual(reusedIds, []);
    assert.equal(metadata.clock, 'global', 'the clock of the end is that of another instance');
    assert.equal(metadata.savedCmdlines.toString(), '77 late\n');
    assert.equal(metadata.formats.get('kprobes')?.size, 4, 'the file has both of the same name');
  });

  it('describes neither of two events with the same id, and names both', async () => {
    const start = new Map([
      ...(await sampleContents('A')),
      ['events/kprobes/early/format', format('early', 3000)] as const,
    ]);
    const end = files({ 'events/uprobes/late/format': format('late', 3000) });
    const { metadata, reusedIds } = mergeMetadata(start, undefined, end, untold);
    assert.deepEqual(reusedIds, [{ id: 3000, before: 'kprobes:early', after: 'uprobes:late' }]);
    assert.equal(metadata.catalogue.byId(3000), undefined);
    assert.equal(metadata.catalogue.size, 1336);
  });

  it('treats an event with other fields as another event, but not one with another print format', async () => {
    const start = new Map([
      ...(await sampleContents('A')),
      ['events/kprobes/p/format', format('p', 3000)] as const,
    ]);
    const merged = (now: Buffer) =>
      mergeMetadata(start, undefined, files({ 'events/kprobes/p/format': now }), untold);
    assert.equal(merged(format('p', 3000, 'u32 a')).reusedIds.length, 1);
    const { metadata, reusedIds } = merged(format('p', 3000, 'int a', '"%x", REC->a'));
    assert.deepEqual(reusedIds, []);
    assert.equal(metadata.catalogue.byId(3000)?.name, 'p');
  });

  it('has the symbols of modules loaded and unloaded meanwhile', async () => {
    const start = new Map([
      ...(await sampleContents('A')),
      ['kallsyms', Buffer.from('1 T a\n2 t gone\t[x]\n')] as const,
    ]);
    const { metadata } = mergeMetadata(
      start,
      undefined,
      files({ kallsyms: '1 T a\n3 t new\t[y]\n' }),
      untold,
    );
    assert.equal(metadata.kallsyms.toString(), '1 T a\n2 t gone\t[x]\n3 t new\t[y]\n');
  });
});
