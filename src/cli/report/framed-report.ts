import type { FramedGaps } from '../../trace/convert/convert-framed.ts';
import { counted } from './human.ts';

/** What a framed stream lacks, a line for each. */
export function gapsText(gaps: FramedGaps): string[] {
  const { missingBytes, ended, strayBytes, another, miscounted } = gaps;
  const lines = [...missingBytes].map(
    ([cpu, bytes]) =>
      `CPU ${cpu}: ${counted(bytes, 'byte')} of its pages are not in the stream, or in no whole page`,
  );
  if (!ended) lines.push('the stream has no end: what its agent still had, and its account, are missing');
  if (strayBytes > 0)
    lines.push(
      another
        ? `another stream follows in the same file, ${counted(strayBytes, 'byte')}: it is not converted`
        : `${counted(strayBytes, 'byte')} of the stream are of no use`,
    );
  for (const [cpu, { readEvents, events }] of miscounted)
    lines.push(
      `CPU ${cpu}: the guest's kernel says that ${readEvents} events were read, the file has ${events}`,
    );
  return lines;
}

/** For programs (docs/json.md). */
export function gapsAsJson({ missingBytes, ended, strayBytes, another, miscounted }: FramedGaps): object {
  return {
    ended,
    missingBytes: Object.fromEntries(missingBytes),
    strayBytes,
    anotherStream: another,
    miscounted: Object.fromEntries(miscounted),
  };
}
