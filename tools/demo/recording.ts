import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { exitCode, Failure } from '../../src/base/failure.ts';

const traceHost = fileURLToPath(new URL('../../bin/trace-host.js', import.meta.url));
const reportLines = 8;
const summaryLines = 16;

/** Records the scheduler for three seconds with `trace-host record`; its output goes to the terminal. Throws Failure. */
export async function record(portsDir: string, out: string): Promise<void> {
  const words = [
    '--dir',
    portsDir,
    '-o',
    out,
    '-e',
    'sched',
    '-e',
    'irq',
    '--duration',
    '3s',
    '--timeout',
    '60s',
  ];
  const child = spawn(process.execPath, [traceHost, 'record', ...words], { stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Failure(exitCode.failed, `trace-host record exited with code ${String(code)}`);
}

/** A command line, and what it printed. */
export interface Shown {
  readonly command: string;
  readonly text: string;
}

/** What trace-host makes of a recording: text, figures, and a file for the Perfetto UI. Throws Failure. */
export function shownOf(file: string): Shown[] {
  return [
    head(['report', file], reportLines),
    head(['summary', file, '--top', '3'], summaryLines),
    head(['export', file, '--to', 'perfetto', '-o', perfettoFile(file)], Number.POSITIVE_INFINITY),
  ];
}

/** Where `shownOf` exports a trace to. */
export function perfettoFile(file: string): string {
  return file.replace(/\.dat$/, '.pftrace');
}

/** Runs trace-host, as in a pipe to `head`. */
function head(words: readonly string[], most: number): Shown {
  const { status, stdout, stderr } = spawnSync(process.execPath, [traceHost, ...words], {
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  });
  if (status !== 0) throw new Failure(exitCode.failed, `trace-host ${words[0]}: ${stderr.trim()}`);
  const lines = stdout.trimEnd().split('\n');
  const isCut = lines.length > most;
  return {
    command: `trace-host ${words.join(' ')}${isCut ? ` | head -n ${most}` : ''}`,
    text: `${lines.slice(0, most).join('\n')}\n`,
  };
}
