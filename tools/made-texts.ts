/** `node dist/tools/made-texts.js`: stores what the installed trace-cmd prints of the made-up events of the tests. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { caseGroups } from '../test/report/cases/all.ts';
import { storedTextsPath } from '../test/report/cases/stored.ts';
import { printed, traceCmd } from '../test/report/compare.ts';
import { filesOf, textsOf, writeCases } from '../test/report/made-file.ts';

const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-made-'));
try {
  const stored: Record<string, (string | undefined)[][]> = {};
  for (const [group, cases] of caseGroups) {
    stored[group] = [];
    for (const file of filesOf(cases)) {
      const path = join(dir, 'made.dat');
      await writeCases(path, file);
      const { status, stdout } = printed(traceCmd, ['-i', path], dir);
      if (status !== 0) throw new Error(`${group}: trace-cmd ended with ${status}`);
      stored[group].push(textsOf(stdout.toString('latin1')));
    }
  }
  writeFileSync(storedTextsPath, `${JSON.stringify(stored, undefined, 1)}\n`);
} finally {
  rmSync(dir, { recursive: true });
}
