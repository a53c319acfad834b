import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repoRoot } from '../../repo-root.ts';
import { type Case, filesOf } from '../made-file.ts';
import { caseGroups } from './all.ts';

/** Cases that share a file, with what trace-cmd 3.1.6 printed of each. */
export interface StoredFile {
  readonly group: string;
  readonly cases: readonly Case[];
  readonly texts: readonly string[];
}

export const storedTextsPath = join(repoRoot, 'test/fixtures/report/made-texts.json');

/** All files of cases; texts as `tools/made-texts.ts` stored them. */
export function storedFiles(): StoredFile[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- tools/made-texts.ts wrote it
  const stored = JSON.parse(readFileSync(storedTextsPath, 'utf8')) as Record<string, string[][]>;
  return [...caseGroups].flatMap(([group, cases]) =>
    filesOf(cases).map((file, index) => ({ group, cases: file, texts: stored[group]?.[index] ?? [] })),
  );
}
