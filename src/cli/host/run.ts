import type { ExitCode } from '../../base/failure.ts';
import { runDoctor } from './doctor.ts';
import { runOrder } from './orders.ts';
import type { HostCommand } from './options/host-options.ts';
import { runConvert } from './convert.ts';
import { runInfo } from './reading/info.ts';
import { runMetadata } from './metadata.ts';
import { runReport } from './reading/report.ts';
import { runRecord } from './record.ts';
import { runSetup } from './setup.ts';
import { runSummary } from './reading/summary.ts';

/** Runs one command of trace-host; prints to stdout and stderr. Throws Failure. */
export async function runHost(command: Exclude<HostCommand, { readonly kind: 'say' }>): Promise<ExitCode> {
  switch (command.kind) {
    case 'setup':
      return runSetup(command.options);
    case 'start':
    case 'stop':
    case 'status':
    case 'ping':
      return runOrder(command);
    case 'doctor':
      return runDoctor(command.options);
    case 'record':
      return runRecord(command.options);
    case 'convert':
      return runConvert(command.options);
    case 'export':
      // loaded on demand: no other command needs it
      return (await import('./reading/export.ts')).runExport(command.options);
    case 'query':
      return (await import('./reading/query.ts')).runQuery(command.options);
    case 'metadata':
      return runMetadata(command.options, command.out);
    case 'report':
      return runReport(command.options);
    case 'info':
      return runInfo(command.path, command.json);
    case 'summary':
      return runSummary(command.options);
    default:
      return command satisfies never;
  }
}
