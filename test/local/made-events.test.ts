import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  bytesDifference,
  printed,
  printedByTraceHost,
  traceCmd,
  traceCmdSkip,
  withoutGarbage,
} from '../report/compare.ts';
import { textsOf, writeCases } from '../report/made-file.ts';
import { differences, madeFiles, storedTexts } from '../report/made-texts.ts';
import { scratchDir } from '../unit/trace/samples.ts';

const options = [[], ['-N'], ['-R'], ['-l'], ['-O', 'parent', '-O', 'offset']] as const;

describe('made-up events and the installed trace-cmd', { timeout: 900_000, skip: traceCmdSkip() }, () => {
  const stored = storedTexts();
  for (const file of madeFiles())
    it(file.name, async (context) => {
      const dir = scratchDir(context);
      const path = await writeCases(dir, file.cases);
      const { status, stdout, stderr } = printed(traceCmd, ['-i', path], dir);
      assert.equal(status, 0, stderr.slice(-500));
      const texts = textsOf(stdout.toString('latin1'), file.cases);
      assert.ok(
        texts.flat().every((text) => text !== undefined),
        'trace-cmd prints all records',
      );
      assert.equal(
        differences(file, stored[file.name], texts),
        '',
        'the stored texts are not of this trace-cmd',
      );
      const reports = printedByTraceHost(options, path, dir);
      for (const [index, words] of options.entries()) {
        const expected = printed(traceCmd, [...words, '-i', path], dir);
        assert.equal(expected.status, 0, expected.stderr.slice(-500));
        assert.equal(reports[index]!.status, 0);
        const found = await bytesDifference(
          withoutGarbage(expected.stdout),
          withoutGarbage(reports[index]!.stdout),
        );
        assert.equal(found, undefined, words.join(' '));
      }
    });
});
