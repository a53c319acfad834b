import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { printed, type Reporter, traceCmd, traceCmdSkip, traceHost } from '../report/compare.ts';
import { type MadeType, writeMadeTypes } from '../report/made-events.ts';
import {
  handlerTypes,
  handlerTypesWithFirstField,
  handlerTypesWithoutFields,
  handlerTypesWithoutLastField,
} from '../report/made-handlers.ts';
import {
  numberTypes,
  operatorTypes,
  pointerTypes,
  textTypes,
  unparsableTypes,
} from '../report/made-formats.ts';
import { scratchDir } from '../unit/trace/samples.ts';

const texts = {
  kallsyms: [
    'ffffffff81000000 T _text',
    'ffffffff81000100 T first_function',
    'ffffffff81000200 t second_function\t[module]',
    'ffffffff81000300 t alias_a',
    'ffffffff81000300 t alias_b',
    'ffffffff81000400 t last_function',
    '',
  ].join('\n'),
  printkFormats: '0xffffffff82000000 : "a text of the kernel"\n',
  savedCmdlines: '1234 a-task\n7 seven\n',
};

const sets: Readonly<Record<string, readonly MadeType[]>> = {
  numbers: numberTypes,
  operators: operatorTypes,
  texts: textTypes,
  pointers: pointerTypes,
  'formats that cannot be parsed': unparsableTypes,
  "the plugins' own events": handlerTypes,
  "the plugins' own events without their fields": handlerTypesWithoutFields,
  "the plugins' own events with their first field": handlerTypesWithFirstField,
  "the plugins' own events without their last field": handlerTypesWithoutLastField,
};
const most = 30;

/** The first line that differs of each event, after the event's format. */
function differences(types: readonly MadeType[], expected: Buffer, actual: Buffer): string[] {
  const formats = new Map(types.map(({ name, format }) => [name.split(':')[1], format]));
  const [left, right] = [expected, actual].map((text) => text.toString('latin1').split('\n'));
  const found = new Map<string, string>();
  for (const [index, line] of left!.entries()) {
    if (line === right![index]) continue;
    const event = /^.{16,}-1234 .*?: (\w+):/.exec(line)?.[1] ?? '';
    if (!found.has(event))
      found.set(
        event,
        `${formats.get(event)}\n- ${JSON.stringify(line)}\n+ ${JSON.stringify(right![index])}`,
      );
  }
  const all = [...found.values()];
  if (left!.length !== right!.length) all.push(`${right!.length} lines instead of ${left!.length}`);
  return all;
}

describe('made-up print formats', { timeout: 600_000, skip: traceCmdSkip() }, () => {
  for (const [what, types] of Object.entries(sets))
    it(`trace-host report prints ${what} as trace-cmd does`, async (context) => {
      const dir = scratchDir(context);
      const out = join(dir, 'trace.dat');
      await writeMadeTypes(dir, types, texts, { out });
      const records = types.reduce((sum, type) => sum + type.records.length, 0);
      for (const args of [[], ['-N'], ['-R']]) {
        const of = (reporter: Reporter) => printed(reporter, [...args, '-i', out], dir);
        const [expected, actual] = [of(traceCmd), of(traceHost)];
        assert.equal(
          expected.status,
          0,
          `trace-cmd report ${args.join(' ')}: ${expected.stderr.slice(-500)}`,
        );
        assert.equal(actual.status, 0, actual.stderr);
        const lines = expected.stdout.toString('latin1').match(/-1234 /g)?.length;
        assert.equal(lines, records, 'trace-cmd prints all of them');
        const found = differences(types, expected.stdout, actual.stdout);
        assert.equal(
          found.length,
          0,
          `report ${args.join(' ')}: ${found.length} formats differ\n${found.slice(0, most).join('\n\n')}`,
        );
      }
    });
});
