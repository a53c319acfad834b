import type { FramedGaps } from '../../trace/convert/convert-framed.ts';
import { counted } from './human.ts';

/** The gaps and faults of a framed stream, one line each. */
export function gapsText(gaps: FramedGaps): string[] {
  const { missingBytes, ended, strayBytes, another, miscounted } = gaps;
  const lines = [...missingBytes].map(
    ([cpu, bytes]) =>
      `CPU ${cpu}: ${counted(bytes, 'byte')} of its pages are missing from the stream, or part of an incomplete page`,
  );
  if (!ended) lines.push("the stream has no end record: the agent's last pages and its totals are missing");
  if (strayBytes > 0)
    lines.push(
      another
        ? `another stream of ${counted(strayBytes, 'byte')} follows in the same file: it is not converted`
        : `${counted(strayBytes, 'byte')} of the stream are unusable`,
    );
  for (const [cpu, { readEvents, events }] of miscounted)
    lines.push(
      `CPU ${cpu}: the guest's kernel counted ${readEvents} events read, but the file has ${events}`,
    );
  return lines;
}

/** The JSON fields (docs/json.md). */
export function gapsAsJson({ missingBytes, ended, strayBytes, another, miscounted }: FramedGaps): object {
  return {
    ended,
    missingBytes: Object.fromEntries(missingBytes),
    strayBytes,
    anotherStream: another,
    miscounted: Object.fromEntries(miscounted),
  };
}
