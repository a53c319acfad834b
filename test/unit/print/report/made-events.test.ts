import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { report } from '../../../../src/print/report/report.ts';
import { defaultLineOptions } from '../../../../src/print/report/options.ts';
import { openTrace } from '../../../../src/trace/open.ts';
import { storedFiles } from '../../../report/cases/stored.ts';
import { textsOf, writeCases } from '../../../report/made-file.ts';
import { scratchDir } from '../../trace/samples.ts';

describe('made-up events are printed as trace-cmd printed them', () => {
  for (const [index, { group, cases, texts }] of storedFiles().entries())
    it(`${group}, file ${index}`, async (context) => {
      const path = join(scratchDir(context), 'made.dat');
      await writeCases(path, cases);
      const trace = await openTrace(path);
      const pieces: Buffer[] = [];
      try {
        await report(
          [{ trace, label: undefined, timeOffset: 0n, clockHz: undefined }],
          {
            ...defaultLineOptions,
            filterOf: () => ({}),
            withoutFlags: 0,
            wakeups: false,
            alignTimes: false,
          },
          async (bytes) => void pieces.push(Buffer.from(bytes)),
          () => {},
        );
      } finally {
        await trace.close();
      }
      const found = textsOf(Buffer.concat(pieces).toString('latin1'));
      assert.equal(texts.length, cases.length, 'run tools/made-texts.ts after a change of the cases');
      const named = (all: readonly (string | undefined)[]) =>
        cases.map(({ event = '', what, print }, at) => `${event} ${what}: ${print}\n${all[at]}`);
      assert.deepEqual(named(found), named(texts));
    });
});
