import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { storedFiles } from '../report/cases/stored.ts';
import { printed, reportDifference, traceCmd, traceCmdSkip, traceHost } from '../report/compare.ts';
import { textsOf, writeCases } from '../report/made-file.ts';
import { scratchDir } from '../unit/trace/samples.ts';

const options = [[], ['-N'], ['-R'], ['-l'], ['-O', 'parent', '-O', 'offset']] as const;

describe('made-up events and the installed trace-cmd', { timeout: 900_000, skip: traceCmdSkip() }, () => {
  for (const [index, { group, cases, texts }] of storedFiles().entries())
    it(`${group}, file ${index}`, async (context) => {
      const dir = scratchDir(context);
      const path = join(dir, 'made.dat');
      await writeCases(path, cases);
      const { stdout } = printed(traceCmd, ['-i', path], dir);
      assert.deepEqual(
        textsOf(stdout.toString('latin1')),
        texts,
        'the stored texts are not of this trace-cmd',
      );
      for (const words of options)
        assert.equal(await reportDifference(traceCmd, traceHost, [...words, '-i', path]), undefined);
    });
});
