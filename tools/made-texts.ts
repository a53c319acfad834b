/** `node dist/tools/made-texts.js`: stores what the installed trace-cmd prints of the made-up events of the tests. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { printed, traceCmd } from '../test/report/compare.ts';
import { textsOf, writeCases } from '../test/report/made-file.ts';
import { type CaseTexts, type MadeFile, madeFiles, storeTexts } from '../test/report/made-texts.ts';

const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-made-'));
try {
  const texts = new Map<MadeFile, CaseTexts>();
  for (const file of madeFiles()) {
    const { status, stdout } = printed(traceCmd, ['-i', await writeCases(dir, file.cases)], dir);
    if (status !== 0) throw new Error(`${file.name}: trace-cmd ended with ${status}`);
    texts.set(file, textsOf(stdout.toString('latin1'), file.cases));
  }
  storeTexts(texts);
} finally {
  rmSync(dir, { recursive: true });
}
