import { namesOf, type Subcommand } from '../subcommand.ts';
import { type AlignCommand, readAlign } from './align-options.ts';
import { type ExplainCommand, readExplain, recordingNames } from './explain-options.ts';
import { explainSettings } from './explain-settings.ts';
import { type ExportCommand, readExport } from './export-options.ts';
import { type QueryCommand, readQuery } from './query-options.ts';
import { readReport, type ReportCommand } from './report-options.ts';
import { reportSettings } from './report-settings.ts';
import { selectionNames } from './selection.ts';
import { readSummary, type SummaryCommand } from './summary-options.ts';
import { readTimeline, type TimelineCommand } from '../serving/timeline-options.ts';
import { timelineSettings } from '../serving/timeline-settings.ts';

/** The commands that read a trace, and need no guest. */
export type ReadingCommand =
  | { readonly kind: 'report'; readonly options: ReportCommand }
  | { readonly kind: 'summary'; readonly options: SummaryCommand }
  | { readonly kind: 'explain'; readonly options: ExplainCommand }
  | { readonly kind: 'export'; readonly options: ExportCommand }
  | { readonly kind: 'query'; readonly options: QueryCommand }
  | { readonly kind: 'align'; readonly options: AlignCommand }
  | { readonly kind: 'timeline'; readonly options: TimelineCommand }
  | { readonly kind: 'info'; readonly path: string; readonly json: boolean };

export const readingCommands: Readonly<Record<ReadingCommand['kind'], Subcommand<ReadingCommand>>> = {
  report: {
    description: 'print the events of trace.dat files and recordings, as trace-cmd report does',
    settings: [...selectionNames, 'exclude', ...namesOf(reportSettings), 'follow', 'quiet', 'json'],
    operands: '[file...]',
    examples: [
      ['trace-host report trace.dat', 'all events in time order'],
      ['trace-host report trace.dat --cpu 0 --from "last 2s"', 'the last two seconds of CPU 0'],
      ["trace-host report -F 'sched_switch: prev_prio < 100' trace.dat", 'only events that pass a filter'],
      ['trace-host report -i web.dat -i db.dat', 'two files, merged by time'],
      ['trace-host report -R trace.dat', 'the fields of each event'],
      ['trace-host report --follow trace.dat', 'the recording in progress into that file'],
    ],
    read: (given) => ({ kind: 'report', options: readReport(given) }),
  },
  summary: {
    description: 'show run times, wakeup latencies and interrupts of a trace.dat or a recording',
    settings: [...selectionNames, 'machines', 'top', 'json'],
    operands: '<file...>',
    examples: [
      ['trace-host summary trace.dat', 'CPUs, tasks, wakeup latencies, interrupts, events'],
      ['trace-host summary trace.dat --top 50', 'longer tables'],
      ['trace-host summary trace.dat --json', 'all tasks, for scripts'],
      ['trace-host summary host.dat --machine host', 'a host, without the guests that were recorded with it'],
    ],
    read: (given) => ({ kind: 'summary', options: readSummary(given) }),
  },
  explain: {
    description: "find the longest waits of guests' tasks, and who caused them, inside or outside the guest",
    settings: [...namesOf(explainSettings), ...recordingNames, 'from', 'to', 'json'],
    operands: '[file...]',
    usage: '[options] (<file...> | -A <NAME> [-- <command...>])',
    examples: [
      ['trace-host explain -A web --duration 10s', 'record the host and a guest for 10 s, and explain that'],
      ['trace-host explain -A web -o s.dat -- make', 'record while a command runs, and keep the recording'],
      [
        'trace-host explain -A web -e net -o s.dat --perfetto waits.pftrace',
        "also record the guest's network events, to be shown with the waits",
      ],
      ['trace-host explain trace.dat', 'a host and the guests that were recorded with it'],
      ['trace-host explain trace.dat --guest web --task nginx', 'why the tasks of that name had to wait'],
      ['trace-host explain trace.dat --over 1ms --worst 100', 'up to 100 waits, from a millisecond on'],
      ['trace-host explain trace-web.dat', 'only what the guest itself knows'],
      ['trace-host explain trace.dat --perfetto waits.pftrace', 'also shown by https://ui.perfetto.dev'],
    ],
    read: (given) => ({ kind: 'explain', options: readExplain(given) }),
  },
  export: {
    description: 'write a trace for other programs, such as the Perfetto UI',
    settings: [
      'exportTo',
      'exportOutput',
      ...selectionNames.filter((name) => name !== 'to'),
      'machines',
      'gzip',
      'genericEvents',
      'json',
    ],
    operands: '<file...>',
    examples: [
      ['trace-host export trace.dat -o trace.pftrace', 'for https://ui.perfetto.dev'],
      ['trace-host export host.dat -o all.pftrace', 'a host and the guests that were recorded with it'],
      ['trace-host export trace.dat.recording --to perfetto -o -', 'an unfinished recording, to stdout'],
      ['trace-host export trace.dat -o trace.ndjson.gz', 'one JSON object per event, compressed'],
      ['trace-host export trace.dat --to csv -o tables', 'a directory with one CSV file per event type'],
      ['trace-host export trace.dat --to parquet -o tables', 'for DuckDB, pandas, Polars and others'],
      ['trace-host export trace.dat --event sched -o sched.pftrace.gz', 'only some events, compressed'],
    ],
    read: (given) => ({ kind: 'export', options: readExport(given) }),
  },
  timeline: {
    description: 'write what each CPU of a host and its guests did, as data for the timeline of the page',
    settings: [...namesOf(timelineSettings), 'json'],
    operands: '<file...>',
    examples: [
      ['trace-host timeline trace.dat -o timeline', 'a host and the guests that were recorded with it'],
      ['trace-host timeline trace-web.dat -o timeline --json', 'one guest, and print the figures as JSON'],
    ],
    read: (given) => ({ kind: 'timeline', options: readTimeline(given) }),
  },
  query: {
    description: 'run an SQL query over the events of a trace, by DuckDB',
    settings: [...selectionNames, 'machines', 'csv', 'json'],
    operands: '<file...>',
    usage: '[options] <file...> <sql>',
    examples: [
      [
        'trace-host query trace.dat "select comm, sum(dur) from sched_slice group by all order by 2 desc"',
        'CPU time by task',
      ],
      [
        'trace-host query trace.dat "select * from wakeup_latency order by latency desc limit 10"',
        'the longest waits for a CPU',
      ],
      [
        'trace-host query host.dat "select machine, count(*) from irq_slice group by all"',
        'a host and the guests that were recorded with it',
      ],
      ['trace-host query trace.dat "show tables"', 'one table for each event, and more'],
    ],
    read: (given) => ({ kind: 'query', options: readQuery(given) }),
  },
  info: {
    description: 'show what is in a trace.dat or a recording',
    settings: ['json'],
    operands: '<file>',
    examples: [['trace-host info trace.dat', 'CPUs, events by name, time span, lost events']],
    read: (given) => ({ kind: 'info', path: given.operands[0] ?? '', json: given.flag('json') }),
  },
  align: {
    description: 'align the clocks of recorded guests with that of their host again, in their files',
    settings: ['dryRun', 'json'],
    operands: '<file...>',
    examples: [
      ['trace-host align host.dat', 'the guests of a host, whose files are next to it'],
      ['trace-host align host.dat web.dat', 'one guest, with a file of another name'],
      ['trace-host align host.dat.recording', 'recordings, and the trace.dat of each'],
      ['trace-host align host.dat --dry-run', 'only show how well the clocks are known'],
    ],
    read: (given) => ({ kind: 'align', options: readAlign(given) }),
  },
};
