import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { report } from '../../../../src/print/report/report.ts';
import { defaultLineOptions } from '../../../../src/print/report/options.ts';
import { openTrace } from '../../../../src/trace/open.ts';
import { textsOf, writeCases } from '../../../report/made-file.ts';
import { differences, madeFiles, storedTexts } from '../../../report/made-texts.ts';
import { scratchDir } from '../../trace/samples.ts';

describe('made-up events are printed as trace-cmd printed them', () => {
  const stored = storedTexts();
  for (const file of madeFiles())
    it(file.name, async (context) => {
      const trace = await openTrace(await writeCases(scratchDir(context), file.cases));
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
      const found = textsOf(Buffer.concat(pieces).toString('latin1'), file.cases);
      assert.equal(differences(file, stored[file.name], found), '', 'see tools/made-texts.ts');
    });
});
