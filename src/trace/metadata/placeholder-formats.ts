import { EventCatalogue } from '../format/event-catalogue.ts';
import { type GuestMetadata, formatTexts } from './guest-metadata.ts';

/** System name for events that the guest did not describe. */
const system = 'unknown';

/**
 * Adds a format for each of `ids`, which have none: `unknown:event_ID`, with the common fields. Readers need one:
 * trace-cmd silently ends its report at the first event without a format.
 */
export function withPlaceholders(metadata: GuestMetadata, ids: readonly number[]): GuestMetadata {
  if (ids.length === 0) return metadata;
  const own = new Map(metadata.formats.get(system));
  for (const id of ids) own.set(`event_${id}`, Buffer.from(placeholder(id)));
  const formats = new Map([...metadata.formats, [system, own] as const]);
  return {
    ...metadata,
    formats,
    catalogue: new EventCatalogue(formatTexts(formats), metadata.layout.commitBytes),
  };
}

function placeholder(id: number): string {
  return `name: event_${id}
ID: ${id}
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:char data[];\toffset:8;\tsize:0;\tsigned:0;

print fmt: "no format"
`;
}
