import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type GuestReport, reportsDirVariable } from '../../test/guest/harness/report.ts';
import type { TestResult } from './run-file.ts';
import type { TestFile } from './test-files.ts';

const tailChars = 4000;
/** The runner learns of a test's end slightly later. */
const slackMs = 2000;

/** Collects the reports that guests write at their end, for failed tests. */
export class GuestReports {
  readonly #dir = mkdtempSync(join(tmpdir(), 'virtio-trace-reports-'));

  constructor() {
    process.env[reportsDirVariable] = this.#dir;
    process.once('exit', () => rmSync(this.#dir, { recursive: true, force: true }));
  }

  /** Reports of the guests that were running during a failed test. */
  of(file: TestFile, { endedMs, ms }: TestResult): string {
    const ofFile = readdirSync(this.#dir).filter((name) => name.startsWith(`${basename(file.program)}.`));
    const reports = ofFile.map(
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the harness wrote it
      (name) => JSON.parse(readFileSync(join(this.#dir, name), 'utf8')) as GuestReport,
    );
    return reports
      .filter(({ fromMs, toMs }) => fromMs <= endedMs && toMs >= endedMs - ms - slackMs)
      .map(textOf)
      .join('\n');
  }
}

function textOf({ console, qemu, processes }: GuestReport): string {
  const parts = [`guest's console:\n${tail(console)}`];
  if (qemu !== '') parts.push(`QEMU:\n${tail(qemu)}`);
  for (const { command, said } of processes) parts.push(`in the guest, ${command}:\n${tail(said)}`);
  return parts.join('\n');
}

function tail(text: string): string {
  return text.length <= tailChars ? text.trimEnd() : `…${text.slice(-tailChars).trimEnd()}`;
}
