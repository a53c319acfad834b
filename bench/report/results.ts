import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import type { Table } from './table.ts';

/** The file of `--json`: the last result under each name, so that benchmarks can run one at a time. */
export interface Results {
  readonly host: {
    readonly cpu: string;
    readonly cpus: number;
    readonly memoryMb: number;
    readonly kernel: string;
    readonly node: string;
  };
  readonly tables: readonly Table[];
}

export function readResults(path: string): Results {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- we wrote it
  return JSON.parse(readFileSync(path, 'utf8')) as Results;
}

/** Writes tables to the file; they replace those of the same name. */
export function addResults(path: string, tables: readonly Table[]): void {
  const before = existsSync(path) ? readResults(path).tables : [];
  const kept = before.filter(({ name }) => !tables.some((table) => table.name === name));
  const results: Results = {
    host: {
      cpu: cpus()[0]?.model ?? '',
      cpus: cpus().length,
      memoryMb: Math.round(totalmem() / (1 << 20)),
      kernel: release(),
      node: process.version,
    },
    tables: [...kept, ...tables].toSorted((a, b) => a.name.localeCompare(b.name)),
  };
  writeFileSync(path, `${JSON.stringify(results, undefined, 1)}\n`);
}
