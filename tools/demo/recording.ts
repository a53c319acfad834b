import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { exitCode, Failure } from '../../src/base/failure.ts';

const traceHost = fileURLToPath(new URL('../../bin/trace-host.js', import.meta.url));
const headLines = 12;

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

/** The first lines of trace-cmd's report of a file, or of `trace-host info` if trace-cmd is not installed. */
export function reportHead(file: string): { readonly command: string; readonly text: string } {
  const report = spawnSync('trace-cmd', ['report', '-i', file], { encoding: 'utf8', maxBuffer: 1 << 30 });
  if (report.error !== undefined) {
    const info = spawnSync(process.execPath, [traceHost, 'info', file], { encoding: 'utf8' });
    return { command: `trace-host info ${file}`, text: info.stdout };
  }
  if (report.status !== 0) throw new Failure(exitCode.failed, `trace-cmd report: ${report.stderr.trim()}`);
  const lines = report.stdout.split('\n').slice(0, headLines);
  return { command: `trace-cmd report -i ${file} | head -n ${headLines}`, text: `${lines.join('\n')}\n` };
}
