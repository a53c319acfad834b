import type { ExitCode } from '../../base/failure.ts';
import type { HostCommand } from './options/host-options.ts';

/** Runs one command of trace-host, and loads only its modules; prints to stdout and stderr. Throws Failure. */
export async function runHost(command: Exclude<HostCommand, { readonly kind: 'say' }>): Promise<ExitCode> {
  switch (command.kind) {
    case 'setup':
      return (await import('./setup.ts')).runSetup(command.options);
    case 'start':
    case 'stop':
    case 'status':
    case 'ping':
      return (await import('./orders.ts')).runOrder(command);
    case 'doctor':
      return (await import('./doctor.ts')).runDoctor(command.options);
    case 'record':
      return (await import('./record.ts')).runRecord(command.options);
    case 'top':
      return (await import('./top/top.ts')).runTop(command.options);
    case 'convert':
      return (await import('./convert.ts')).runConvert(command.options);
    case 'export':
      return (await import('./reading/export.ts')).runExport(command.options);
    case 'query':
      return (await import('./reading/query.ts')).runQuery(command.options);
    case 'metadata':
      return (await import('./metadata.ts')).runMetadata(command.options, command.out);
    case 'report':
      return (await import('./reading/report.ts')).runReport(command.options);
    case 'info':
      return (await import('./reading/info.ts')).runInfo(command.path, command.json);
    case 'align':
      return (await import('./reading/align.ts')).runAlign(command.options);
    case 'explain':
      return command.options.recording === undefined
        ? (await import('./reading/explain.ts')).runExplain(command.options)
        : (await import('./explain-now.ts')).runExplainNow(command.options, command.options.recording);
    case 'timeline':
      return (await import('./serving/timeline.ts')).runTimeline(command.options);
    case 'summary':
      return (await import('./reading/summary.ts')).runSummary(command.options);
    case 'serve':
      return (await import('./serving/serve.ts')).runServe(command.options);
    case 'open':
      return (await import('./serving/open.ts')).runOpen(command.options);
    default:
      return command satisfies never;
  }
}
