import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { caseGroups } from './cases/all.ts';
import type { Case } from './cases/case.ts';
import { packTexts, reportFixtureDir } from './fixtures.ts';
import { filesOf } from './made-file.ts';

/** What trace-cmd 3.1.6 printed of the records of each case of a file. */
export type CaseTexts = readonly (readonly (string | undefined)[])[];

/** Cases that share a file. */
export interface MadeFile {
  readonly name: string;
  readonly cases: readonly Case[];
}

const path = join(reportFixtureDir, 'made-texts.json.br');

/** All files of cases. */
export function madeFiles(): MadeFile[] {
  return [...caseGroups].flatMap(([group, cases]) =>
    filesOf(cases).map((file, index) => ({ name: `${group}, file ${index}`, cases: file })),
  );
}

export function storeTexts(texts: ReadonlyMap<MadeFile, CaseTexts>): void {
  writeFileSync(path, packTexts(Object.fromEntries([...texts].map(([{ name }, own]) => [name, own]))));
}

/** By the names of files, as `tools/made-texts.ts` stored them. */
export function storedTexts(): Readonly<Record<string, CaseTexts>> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- storeTexts wrote it
  return JSON.parse(brotliDecompressSync(readFileSync(path)).toString()) as Record<string, CaseTexts>;
}

const mostShown = 30;

/** The cases whose texts differ, with both. */
export function differences({ cases }: MadeFile, expected: CaseTexts | undefined, actual: CaseTexts): string {
  const found = cases.flatMap(({ event = '', what, print }, index) => {
    const lines = actual[index]!.flatMap((text, at) => {
      const stored = expected?.[index]?.[at];
      return text === stored ? [] : [`- ${JSON.stringify(stored)}`, `+ ${JSON.stringify(text)}`];
    });
    return lines.length === 0 ? [] : [[`${event} ${what}: ${print}`, ...lines.slice(0, 6)].join('\n')];
  });
  const all = cases.length === expected?.length ? found : [`${expected?.length} cases are stored`, ...found];
  return all.slice(0, mostShown).join('\n\n');
}
