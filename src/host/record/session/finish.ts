import { existsSync } from 'node:fs';
import { Failure } from '../../../base/failure.ts';
import type { ConvertReport } from '../../../trace/convert/convert.ts';
import type { RecordedAlignment } from '../../../trace/recording/clock-files.ts';
import type { GuestReport, RecordListener, RecordOptions } from '../contract.ts';
import type { GuestRecording } from '../guest-recording.ts';
import type { RecordedFiles } from '../recorded-files.ts';
import { isWhole, openAccounts } from '../whole.ts';
import type { Entry } from './entry.ts';

export interface Finishing {
  readonly options: RecordOptions;
  readonly listener: RecordListener;
  readonly isHost: boolean;
  readonly alignment: RecordedAlignment | undefined;
  /** Adds to the recording what its events show, before they are converted. Throws Failure. */
  readonly complete: () => Promise<void>;
}

/** Writes a machine's trace.dat, and removes its recording directory if the file has everything. */
export async function finish(
  { recording, failures }: Entry,
  { options, listener, isHost, alignment, complete }: Finishing,
): Promise<GuestReport> {
  let report: ConvertReport | undefined;
  const isThere = (): boolean => recording.dir !== undefined && existsSync(recording.dir);
  // without the directory there is nothing to convert; the reason is among the failures
  if (isThere()) {
    listener.phase(`writing ${recording.out}`);
    try {
      await complete();
      report = await recording.convert({ version: options.version, compress: options.compress });
    } catch (cause) {
      if (!(cause instanceof Failure)) throw cause;
      failures.push(cause);
    }
  }
  const { account, sets } = recording;
  if (report !== undefined)
    failures.push(...openAccounts(report, { progress: sets.progress, account }, options.capBytes));
  const found = reportOf(recording, recording.sets.current, {
    report,
    alignment,
    failures,
    isHost,
    isLast: true,
  });
  // keep the raw pages: what the file lacks may be in them
  if (isWhole(found)) {
    if (recording.dir !== undefined) await listener.removing?.(recording.dir);
    recording.removeDir();
  }
  return { ...found, dir: isThere() ? recording.dir : undefined };
}

interface Found {
  readonly report: ConvertReport | undefined;
  readonly alignment: RecordedAlignment | undefined;
  readonly failures: readonly Failure[];
  readonly isHost: boolean;
  /** Whether the machine's recording ends with this file: its totals are reported with the last one. */
  readonly isLast: boolean;
}

/** The report about a machine's file, except for the directory that is left. */
export function reportOf(
  recording: GuestRecording,
  files: RecordedFiles,
  { report, alignment, failures, isHost, isLast }: Found,
): Omit<GuestReport, 'dir'> {
  const { guest, account } = recording;
  const earlier = guest.cpus.reduce((sum, cpu) => sum + account.earlierEvents(cpu), 0);
  return {
    label: guest.label,
    guest: guest.guest,
    host: isHost,
    out: files.part.out,
    report,
    alignment,
    cpus: isLast ? recording.sets.progress : files.progress,
    lostBytes: isLast ? account.lostBytes : 0,
    heldBytes: isLast ? account.heldBytes : 0,
    failedCpus: isLast ? account.failedCpus : [],
    untracedCpus: isLast ? account.untracedCpus(guest.cpus) : [],
    earlierEvents: files.isFirst ? earlier : 0,
    failures,
  };
}
