import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { EventFormat } from '../../src/trace/format/event-format.ts';
import { repoRoot } from '../repo-root.ts';

/** A protobuf message as protoc prints it: values by field name, each as often as it occurs. */
export type Message = Map<string, (string | bigint | Message)[]>;

/**
 * Decodes an export with protoc: with the messages of test/fixtures/perfetto.proto and, for events that are described in
 * the file, with messages made of their formats. Those without a format keep the numbers of their fields.
 */
export function decodePerfetto(path: string, formats: readonly EventFormat[], dir: string): Message {
  const bytes = readFileSync(path);
  const plain = bytes[0] === 0x1f ? gunzipSync(bytes) : bytes;
  writeFileSync(join(dir, 'described.proto'), describedProto(formats));
  const fixtures = join(repoRoot, 'test/fixtures');
  const args = ['-I', dir, '-I', fixtures, '--decode', 'perfetto.protos.Trace', join(dir, 'described.proto')];
  const { status, stdout, stderr } = spawnSync('protoc', args, {
    input: plain,
    encoding: 'latin1',
    maxBuffer: 1 << 28,
  });
  assert.equal(status, 0, stderr);
  return parseText(stdout);
}

function describedProto(formats: readonly EventFormat[]): string {
  const messages = formats.map(({ id, fields }) => {
    const lines = fields.slice(0, 31).map(({ content, signed }, index) => {
      const type = content === 'integer' ? (signed ? 'int64' : 'uint64') : 'string';
      return `optional ${type} f${index} = ${index + 1};`;
    });
    return `message E${id} { ${lines.join(' ')} }`;
  });
  const fields = formats.map(({ id }) => `optional E${id} event${id} = ${65_536 + id};`);
  return [
    'syntax = "proto2";',
    'package perfetto.protos;',
    'import "perfetto.proto";',
    ...messages,
    ...(fields.length > 0 ? [`extend FtraceEvent { ${fields.join(' ')} }`] : []),
  ].join('\n');
}

/** Parses protobuf's text format, as far as protoc prints it. */
function parseText(text: string): Message {
  const root: Message = new Map();
  const open = [root];
  for (const line of text.split('\n')) {
    const [, name = '', value = ''] = /^ *(\S+?):? (\{|".*"|-?\w+)$/.exec(line) ?? [];
    if (name !== '') {
      const child: Message = new Map();
      add(open.at(-1)!, name, value === '{' ? child : valueOf(value));
      if (value === '{') open.push(child);
    } else if (line.trim() === '}') open.pop();
    else assert.equal(line, '');
  }
  assert.equal(open.length, 1);
  return root;
}

function add(message: Message, name: string, value: string | bigint | Message): void {
  const values = message.get(name);
  if (values === undefined) message.set(name, [value]);
  else values.push(value);
}

function valueOf(text: string): string | bigint {
  if (/^-?\d+$/.test(text)) return BigInt(text);
  if (!text.startsWith('"')) return text;
  const short: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };
  const bytes = text
    .slice(1, -1)
    .replaceAll(/\\(?:([0-7]{3})|(.))/g, (_, octal: string | undefined, other: string) =>
      octal === undefined ? (short[other] ?? other) : String.fromCharCode(Number.parseInt(octal, 8)),
    );
  return Buffer.from(bytes, 'latin1').toString();
}

export function messages(message: Message | undefined, field: string): Message[] {
  return (message?.get(field) ?? []).filter((value) => value instanceof Map);
}

/** The only value of a field; undefined if it is absent. */
export function valueIn(message: Message | undefined, field: string): string | bigint | undefined {
  const [value] = message?.get(field) ?? [];
  return value instanceof Map ? undefined : value;
}
