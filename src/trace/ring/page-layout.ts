import { parseFieldLine, type Field } from '../format/field.ts';
import { FormatError } from '../format/format-error.ts';

/** Layout of a ring-buffer page (a sub-buffer); all values in bytes. */
export interface PageLayout {
  /** Size of the whole page. */
  readonly pageBytes: number;
  readonly timestampOffset: number;
  readonly commitOffset: number;
  /** Size of the commit word, a `long` of the guest: 8, or 4 on a 32-bit kernel. */
  readonly commitBytes: 4 | 8;
  readonly dataOffset: number;
}

/** Parses the text of `events/header_page`. Throws FormatError if it does not describe a readable page. */
export function parsePageLayout(text: string): PageLayout {
  const fields = new Map<string, Field>();
  for (const line of text.split('\n')) {
    const field = parseFieldLine(line);
    if (field) fields.set(field.name, field);
  }
  const timestamp = need(fields, 'timestamp');
  const commit = need(fields, 'commit');
  const data = need(fields, 'data');
  const pageBytes = data.offset + data.bytes;
  if (timestamp.bytes !== 8) throw bad(`timestamp of ${timestamp.bytes} bytes`);
  if (commit.bytes !== 4 && commit.bytes !== 8) throw bad(`commit of ${commit.bytes} bytes`);
  if (timestamp.offset + 8 > data.offset || commit.offset + commit.bytes > data.offset) {
    throw bad('header and data overlap');
  }
  if (data.bytes < 8) throw bad(`page of ${pageBytes} bytes`);
  return {
    pageBytes,
    timestampOffset: timestamp.offset,
    commitOffset: commit.offset,
    commitBytes: commit.bytes,
    dataOffset: data.offset,
  };
}

function need(fields: ReadonlyMap<string, Field>, name: string): Field {
  const field = fields.get(name);
  if (!field) throw bad(`no field "${name}"`);
  return field;
}

function bad(reason: string): FormatError {
  return new FormatError('events/header_page', reason);
}
