import { finished, type Machine } from '../machine/machine.ts';

/** Bytes of a marker's text: with headers, four markers fill a page. */
export const markerBytes = 1000;
const slowMs = 600_000;

export interface Load {
  /** Markers per second on each CPU; 0: as fast as possible. */
  readonly rate: number;
  /** Markers on each CPU. */
  readonly count: number;
}

export interface Written {
  readonly markers: number;
  /** Of the slowest CPU. */
  readonly seconds: number;
}

/** Writes numbered markers on all CPUs in parallel, and waits for the end. */
export async function writeMarkers(machine: Machine, { rate, count }: Load): Promise<Written> {
  const program = await machine.program('markers');
  const words = ['--rate', rate, '--count', count, '--size', markerBytes, '--instance', machine.instance];
  const writers = await Promise.all(
    machine.cpus.map((cpu) => machine.spawn([program, '--cpu', String(cpu), ...words.map(String)])),
  );
  let markers = 0;
  let seconds = 0;
  for (const writer of writers) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own program wrote it
    const said = JSON.parse(await finished(writer, slowMs)) as { written: number; seconds: number };
    markers += said.written;
    seconds = Math.max(seconds, said.seconds);
  }
  return { markers, seconds };
}

/** Loads by rate, for about `seconds` each; undefined: as fast as possible, with as many markers as that takes without a reader. */
export async function loadOf(
  machine: Machine,
  mbPerSecond: number | undefined,
  seconds: number,
): Promise<Load> {
  if (mbPerSecond === undefined) {
    const trial = { rate: 0, count: 10_000 };
    const { seconds: took } = await writeMarkers(machine, trial);
    return { rate: 0, count: Math.round((trial.count / took) * seconds) };
  }
  const rate = (mbPerSecond * 1_000_000) / markerBytes;
  return { rate, count: Math.round(rate * seconds) };
}
