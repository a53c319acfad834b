import type { TimelineIndex } from '../../../analysis/timeline/timeline-index.ts';
import { writeTimeline } from '../../../analysis/timeline/write-timeline.ts';
import { type ExitCode, exitCode } from '../../../base/failure.ts';
import { json as jsonText, printable } from '../../../base/quoted.ts';
import { writeDirectory } from '../../../export/output/write-directory.ts';
import { counted } from '../../report/human.ts';
import type { TimelineCommand } from '../options/serving/timeline-options.ts';
import { openMachines } from '../reading/open-session.ts';
import { watched } from '../reading/watched.ts';

/** Writes the data of a page's timeline: what each CPU did, in several levels of detail. Throws Failure. */
export async function runTimeline({ inputs, out, json }: TimelineCommand): Promise<ExitCode> {
  const { session } = await openMachines({ inputs, machines: undefined });
  try {
    let events = 0;
    const index = await watched(
      () => `reading ${counted(events, 'event')}`,
      ({ signal }) =>
        writeDirectory(
          session.machines.map(({ trace }) => trace.path),
          out,
          (dir) =>
            writeTimeline(session, dir, {
              signal,
              onProgress: (now) => {
                events = now;
              },
            }),
        ),
    );
    process.stdout.write(json ? `${jsonText(figuresOf(index))}\n` : textOf(index, out));
    return exitCode.done;
  } finally {
    await session.close();
  }
}

function figuresOf({ events, spanNs, rows, levels }: TimelineIndex): object {
  const slices = rows.reduce((sum, row) => sum + (row.slices[0] ?? 0), 0);
  return { events, spanNs: String(Math.round(spanNs)), rows: rows.length, levels: levels.length, slices };
}

function textOf({ events, rows, levels }: TimelineIndex, out: string): string {
  const slices = rows.reduce((sum, row) => sum + (row.slices[0] ?? 0), 0);
  return (
    `${printable(out)}: ${counted(events, 'event')}, ${counted(rows.length, 'row')}, ` +
    `${counted(slices, 'slice')} in ${counted(levels.length, 'level')}\n`
  );
}
