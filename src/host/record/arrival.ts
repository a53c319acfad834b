import { exitCode, Failure } from '../../base/failure.ts';
import { printable } from '../../base/quoted.ts';
import { firstPageAt, type RawFile } from '../../trace/recording/raw-file.ts';
import type { RecordingDir } from '../../trace/recording/recording-dir.ts';
import type { TracedMachine } from '../traced-machine.ts';
import type { StreamFault } from './collector.ts';
import type { GuestAccount } from './guest-account.ts';
import type { GuestPorts } from './guest-ports.ts';

/** Waits until all bytes that the agent has counted as sent have arrived. Throws Failure if some do not arrive. */
export async function waitForArrival(
  guest: TracedMachine,
  ports: GuestPorts,
  account: GuestAccount,
): Promise<void> {
  const missing = await ports.arrive((cpu) => account.sentBytes(cpu));
  refuseUnconnectedPorts(guest, ports, account);
  const [first] = missing;
  if (first === undefined) return;
  const [cpu] = first;
  const bytes = missing.reduce((sum, [, each]) => sum + each, 0);
  const more = missing.length > 1 ? ` and ${missing.length - 1} more` : '';
  throw new Failure(
    exitCode.lost,
    `${guest.label}, CPU ${cpu}${more}: ${bytes} bytes that the agent sent did not arrive`,
    'check which other program reads the trace ports',
  );
}

/** Throws if a CPU without a port in this directory has sent pages: they went to whatever its port is connected to. */
function refuseUnconnectedPorts(guest: TracedMachine, ports: GuestPorts, account: GuestAccount): void {
  for (const cpu of account.sendingCpus) {
    if (ports.files.has(cpu)) continue;
    const { label, path, options } = guest;
    throw new Failure(
      exitCode.lost,
      `${label}, CPU ${cpu}: ${account.sentBytes(cpu)} bytes were sent to a port that has no file in ${printable(path)}`,
      `run trace-host doctor${options}`,
    );
  }
}

/**
 * Removes the pages of an earlier trace, which the guest had held back, from the front of the files: their page size
 * and clock may differ. `dropped` is called with the number of bytes removed for each such CPU.
 */
export async function dropEarlierPages(
  dir: RecordingDir,
  files: ReadonlyMap<number, RawFile>,
  account: GuestAccount,
  dropped: (cpu: number, bytes: number) => void,
): Promise<void> {
  const { started } = account;
  if (started === undefined) return;
  for (const [cpu, file] of files) {
    const earlierBytes = account.earlierBytes(cpu);
    const droppedBytes = file.receivedBytes - file.keptBytes;
    if (earlierBytes === 0) continue;
    const bytes = Math.min(firstPageAt(earlierBytes, droppedBytes, started.pageBytes), file.keptBytes);
    if (bytes > 0) await dir.dropFront(cpu, bytes);
    dropped(cpu, bytes);
  }
}

/** The error for a file or port that failed during a recording; `dir`: the recording's directory. */
export function failureOf(
  fault: StreamFault,
  guest: TracedMachine,
  cpu: number,
  dir: string | undefined,
): Failure {
  if (fault.kind === 'file') {
    const what = fault.code === 'ENOSPC' ? 'the disk is full' : `cannot write the raw file (${fault.code})`;
    return new Failure(
      exitCode.failed,
      `${guest.label}, CPU ${cpu}: ${what}`,
      `free space on the disk of ${dir}`,
    );
  }
  return new Failure(exitCode.failed, `${guest.label}, CPU ${cpu}: cannot read its port (${fault.code})`);
}
