import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** Names the directory for the reports of guests; without it guests write none. */
export const reportsDirVariable = 'TEST_REPORTS';

/** Report of a guest for a test that failed in it. */
export interface GuestReport {
  /** From the guest's start to its end, in the time of `Date.now`. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly console: string;
  readonly qemu: string;
  readonly processes: readonly { readonly command: string; readonly said: string }[];
}

let count = 0;

/** Writes a guest's report for the test runner, if it wants reports. Blocks. */
export function leaveReport(report: GuestReport): void {
  const dir = process.env[reportsDirVariable];
  if (dir === undefined) return;
  const name = `${basename(process.argv[1] ?? '')}.${process.pid}-${count++}.json`;
  writeFileSync(join(dir, name), JSON.stringify(report));
}
