import { exitCode, Failure } from '../../base/failure.ts';
import type { ConvertReport } from '../../trace/convert/convert.ts';
import type { CpuProgress, GuestReport } from './contract.ts';
import type { GuestAccount } from './guest-account.ts';

interface Recorded {
  readonly progress: readonly CpuProgress[];
  readonly account: GuestAccount;
}

/** Whether a guest's trace is complete by all counts, so that its raw pages are no longer needed. */
export function isWhole(guest: Omit<GuestReport, 'dir'>): boolean {
  const { report, failures, lostBytes, heldBytes, failedCpus } = guest;
  if (report === undefined || failures.length > 0 || failedCpus.length > 0) return false;
  return lostBytes === 0 && heldBytes === 0 && report.leftOut.size === 0 && report.reusedIds.length === 0;
}

/**
 * Finds differences between the counts of the guest, the raw files and the resulting file.
 * @param capBytes size limit of what was kept; undefined: everything was kept, so events can be compared
 */
export function openAccounts(
  report: ConvertReport,
  { progress, account }: Recorded,
  capBytes: number | undefined,
): Failure[] {
  return [
    ...changedPageSize(account),
    ...missingBytes(report, progress),
    ...(capBytes === undefined ? missingEvents(report, progress) : []),
  ];
}

function changedPageSize({ pageSizes }: GuestAccount): Failure[] {
  if (pageSizes === undefined) return [];
  const [before, after] = pageSizes;
  const message = `the guest's ring had pages of ${before} bytes at the start and of ${after} at the stop`;
  return [new Failure(exitCode.lost, message, 'do not change buffer_subbuf_size_kb during a recording')];
}

/** Compares collected with converted bytes. */
function missingBytes(report: ConvertReport, progress: readonly CpuProgress[]): Failure[] {
  return progress.flatMap(({ cpu, keptBytes }) => {
    const rawBytes = report.cpus.find((converted) => converted.cpu === cpu)?.rawBytes ?? 0;
    if (rawBytes === keptBytes) return [];
    const message = `CPU ${cpu}: ${keptBytes} bytes were collected, but its raw file had ${rawBytes}`;
    return [new Failure(exitCode.lost, message, 'check what else writes to the directory of the recording')];
  });
}

/**
 * The error when a ring was emptied, which restarts its counts; the kernel also empties it when a probe, or a
 * module with events, is removed.
 */
function emptiedRing(cpu: number, readEvents: number, events: number): Failure {
  return new Failure(
    exitCode.lost,
    `CPU ${cpu}: the guest's ring buffer was emptied during the recording, and its contents are lost: ` +
      `the guest's kernel counted ${readEvents} events read, but the file has ${events}`,
    'do not remove events or write to a trace file there during a recording',
  );
}

/** Compares the kernel's count of read events with the events in the file. */
function missingEvents(report: ConvertReport, progress: readonly CpuProgress[]): Failure[] {
  return progress.flatMap(({ cpu, readEvents }) => {
    const events = report.cpus.find((converted) => converted.cpu === cpu)?.events ?? 0;
    if (readEvents === undefined || readEvents === events) return [];
    if (events > readEvents) return [emptiedRing(cpu, readEvents, events)];
    const message = `CPU ${cpu}: the guest's kernel counted ${readEvents} events read, but the file has ${events}`;
    return [new Failure(exitCode.lost, message, "check for bad pages above, and see the agent's log")];
  });
}
