import { alignRecordings } from '../../../clock/align-recordings.ts';
import { type ExitCode, Failure } from '../../../base/failure.ts';
import type { ConvertReport, ConvertSettings } from '../../../trace/convert/convert.ts';
import type { RecordedAlignment } from '../../../trace/recording/clock-files.ts';
import { replaceAlignment } from '../../../trace/recording/recording-dir.ts';
import { convertToFile } from '../recorded-files.ts';

/** The finished recordings of a set, which are to be written. */
export interface SetJob {
  readonly machines: readonly MachineJob[];
  readonly settings: Pick<ConvertSettings, 'version' | 'compress'>;
}

export interface MachineJob {
  readonly dir: string;
  readonly out: string;
  readonly isHost: boolean;
}

/** What became of each machine's recording, in the order of the job. */
export type SetResult = readonly MachineResult[];

export interface MachineResult {
  /** Undefined if the file could not be written. */
  readonly report: ConvertReport | undefined;
  /** How to convert a guest's times to the host's. */
  readonly alignment: RecordedAlignment | undefined;
  readonly failures: readonly FailureText[];
}

/** A Failure, for another process. */
export interface FailureText {
  readonly exitCode: ExitCode;
  readonly message: string;
  readonly remedy: string;
}

/** Aligns the clocks of the guests with the host's, if it is there, and writes a trace.dat for each machine. */
export async function writeSet({ machines, settings }: SetJob): Promise<SetResult> {
  const aligned = await align(machines);
  const results: MachineResult[] = [];
  for (const machine of machines) {
    const { dir, out, isHost } = machine;
    const failures = isHost || aligned.failure === undefined ? [] : [aligned.failure];
    const alignment = aligned.alignments.get(machine);
    const written = await settled(() => convertToFile(dir, { ...settings, out }));
    if (written.failure !== undefined) failures.push(written.failure);
    results.push({ report: written.result, alignment, failures });
  }
  return results;
}

interface Aligned {
  readonly alignments: ReadonlyMap<MachineJob, RecordedAlignment>;
  readonly failure: FailureText | undefined;
}

async function align(machines: readonly MachineJob[]): Promise<Aligned> {
  const host = machines.find(({ isHost }) => isHost);
  const guests = machines.filter((machine) => machine !== host);
  const alignments = new Map<MachineJob, RecordedAlignment>();
  if (host === undefined || guests.length === 0) return { alignments, failure: undefined };
  const { failure } = await settled(async () => {
    const found = await alignRecordings(
      host.dir,
      guests.map(({ dir }) => dir),
    );
    for (const [index, alignment] of found.entries()) {
      if (alignment === undefined) continue;
      const guest = guests[index]!;
      await replaceAlignment(guest.dir, alignment);
      alignments.set(guest, alignment);
    }
  });
  return { alignments, failure };
}

async function settled<Result>(
  run: () => Promise<Result>,
): Promise<{ readonly result: Result | undefined; readonly failure: FailureText | undefined }> {
  try {
    return { result: await run(), failure: undefined };
  } catch (cause) {
    if (!(cause instanceof Failure)) throw cause;
    const { exitCode, message, remedy } = cause;
    return { result: undefined, failure: { exitCode, message, remedy } };
  }
}
