import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The program as installed. */
export const hostProgram = fileURLToPath(new URL('../../../bin/trace-host.js', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs trace-host as a user would, to its end. */
export function traceHost(...argv: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [hostProgram, ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 300_000,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (bytes: Buffer) => {
    stdout += bytes.toString();
  });
  child.stderr.on('data', (bytes: Buffer) => {
    stderr += bytes.toString();
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}
