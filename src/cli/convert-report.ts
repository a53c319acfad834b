import type { ConvertReport } from '../host/convert.ts';
import { printable } from '../quoted.ts';
import { counted, humanBytes } from './human.ts';

/** What is in a file that was made, for people: `2 CPUs, 700 events in 20 pages, 80.0 KiB`. */
export function summaryOf({ cpus, events, pages, fileBytes }: ConvertReport): string {
  return `${counted(cpus.length, 'CPU')}, ${counted(events, 'event')} in ${counted(pages, 'page')}, ${humanBytes(fileBytes)}`;
}

/** What is not in it though it was recorded, a line for each reason. */
export function leftOutOf({ leftOut }: ConvertReport): string[] {
  return [...leftOut].map(([reason, pages]) => `${pages} bad pages left out: ${reason}`);
}

/** Events that nobody can tell apart, a line each. */
export function reusedIdsOf({ reusedIds }: ConvertReport): string[] {
  return reusedIds.map(
    ({ id, before, after }) =>
      `events of id ${id} are not described: the guest's kernel gave it to ${printable(before)} and later to ${printable(after)}`,
  );
}

/** For programs (docs/json.md): maps as objects, big numbers as decimal strings. */
export function countsOf(report: ConvertReport): object {
  return {
    file: report.out,
    events: report.events,
    pages: report.pages,
    fileBytes: report.fileBytes,
    rawBytes: report.rawBytes,
    lostEvents: String(report.lost),
    // The kernel leaves out the count where the page has no room for it.
    uncountedLosses: report.cpus.reduce((sum, cpu) => sum + cpu.pagesAfterUncountedLoss, 0),
    leftOut: Object.fromEntries(report.leftOut),
    reusedIds: report.reusedIds,
    eventsByName: Object.fromEntries(report.eventsByName),
    convertSeconds: report.seconds,
  };
}
