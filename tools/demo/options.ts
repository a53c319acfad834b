import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { exitCode, Failure } from '../../src/base/failure.ts';

export interface DemoOptions {
  readonly cpus: number;
  /** Directory for both traces and their export, the raw pages and their formats; undefined: only the traces and their export are kept, in dist/. */
  readonly keep: string | undefined;
}

export const usage = `npm run demo -- [--cpus N] [--keep DIR]

Boots a QEMU guest with trace-agent, traces its scheduler for five seconds and shows what arrived on the host. Then
records the guest together with this host into dist/demo-trace.dat (host) and dist/demo-trace-guest.dat, prints, summarises
and exports the recording, shows a wakeup that crosses from the host into the guest, and explains who made a task of the
guest wait: a task of the host that takes its CPU now and then.

  --cpus N     CPUs of the guest, 1 to 64 (default 2)
  --keep DIR   write both traces, trace.pftrace, the raw pages and the event formats to DIR
  -h, --help   show this
`;

const cpusMax = 64;

/** @returns 'help' for --help. Throws Failure (usage). */
export function parseDemoOptions(args: readonly string[]): DemoOptions | 'help' {
  const { values } = parsed(args);
  if (values.help) return 'help';
  const cpus = Number(values.cpus ?? '2');
  if (!Number.isInteger(cpus) || cpus < 1 || cpus > cpusMax) {
    throw new Failure(
      exitCode.usage,
      `--cpus ${String(values.cpus)} is not a valid number of CPUs`,
      `use 1 to ${cpusMax}`,
    );
  }
  // npm runs scripts in the package's directory; INIT_CWD is the user's working directory
  const from = process.env['INIT_CWD'] ?? process.cwd();
  return { cpus, keep: values.keep === undefined ? undefined : resolve(from, values.keep) };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        cpus: { type: 'string' },
        keep: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new Failure(exitCode.usage, message, 'see npm run demo -- --help', { cause });
  }
}
