import type { GuestMetadata } from '../../metadata/guest-metadata.ts';
import { bodiesOf } from './bodies.ts';
import { ByteWriter } from './byte-writer.ts';
import { appendPages, type CpuExtent, type CpuSource } from '../cpu-data.ts';
import { magic, optionId } from '../ids.ts';
import { commonOptions, cString, namesClock, packOptions, type TraceFacts } from './options.ts';
import type { Output } from '../../file/output.ts';

/** Writes a complete version 6 file. `sources` must yield the CPUs in ascending order. */
export async function writeV6(
  output: Output,
  metadata: GuestMetadata,
  facts: TraceFacts,
  sources: AsyncIterable<CpuSource>,
): Promise<CpuExtent[]> {
  const { pageBytes, commitBytes } = metadata.layout;
  // the table is indexed by CPU, so CPUs without pages need an entry too
  const cpuCount = Math.max(0, ...facts.cpus.map((cpu) => cpu + 1));
  const head = new ByteWriter().bytes(magic).string('6').u8(0).u8(commitBytes).u32(pageBytes);
  for (const { content } of bodiesOf(metadata)) head.bytes(content);
  head.u32(cpuCount).string('options  ');
  const options = commonOptions(facts);
  const withClock = namesClock(facts);
  // The text is repeated after the options. trace-cmd 3 also searches this content for a clock; if the content is
  // empty, as in its own files, it searches whatever is in memory.
  if (withClock) options.push({ id: optionId.traceClock, content: cString(facts.traceClock) });
  head.bytes(packOptions(options)).u16(optionId.done).string('flyrecord');
  const tableAt = head.length;
  head.bytes(Buffer.alloc(cpuCount * 16));
  if (withClock) {
    const text = Buffer.from(facts.traceClock, 'latin1');
    head.u64(text.length).bytes(text);
  }
  await output.append(head.finish());

  const extents: CpuExtent[] = [];
  for await (const source of sources) extents.push(await appendPages(output, source, pageBytes));
  const dataAt = extents[0]?.offset ?? output.offset;
  const byCpu = new Map(extents.map((extent) => [extent.cpu, extent]));
  const table = new ByteWriter();
  for (let cpu = 0; cpu < cpuCount; cpu++) {
    const { offset, bytes } = byCpu.get(cpu) ?? { offset: dataAt, bytes: 0 };
    table.u64(offset).u64(bytes);
  }
  await output.writeAt(tableAt, table.finish());
  return extents;
}
