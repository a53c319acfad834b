import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** Names the directory for what guests leave at their end; without it they leave nothing. */
export const reportsDirVariable = 'TEST_REPORTS';

/** What a guest leaves for a test that failed in it. */
export interface GuestReport {
  /** From its start to its end, as `Date.now` has it. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly console: string;
  readonly qemu: string;
  readonly processes: readonly { readonly command: string; readonly said: string }[];
}

let count = 0;

/** Writes a guest's report for the test runner, if that wants it. Blocks. */
export function leaveReport(report: GuestReport): void {
  const dir = process.env[reportsDirVariable];
  if (dir === undefined) return;
  const name = `${basename(process.argv[1] ?? '')}.${process.pid}-${count++}.json`;
  writeFileSync(join(dir, name), JSON.stringify(report));
}
