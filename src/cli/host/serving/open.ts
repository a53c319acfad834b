import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { codeOf } from '../../../base/error-code.ts';
import { type ExitCode, exitCode, Failure } from '../../../base/failure.ts';
import { isObject } from '../../../base/json-type.ts';
import { printable, quoted } from '../../../base/quoted.ts';
import type { OpenCommand } from '../options/serving/serve-options.ts';
import { defaultSocket, systemSocket } from '../options/serving/serve-settings.ts';

const timeoutMs = 10_000;
const maxAnswerBytes = 64 * 1024;

/**
 * Gets a code from the daemon, prints the address of the page with it, and on a desktop opens that in the browser.
 * Throws Failure.
 */
export async function runOpen({ socket }: OpenCommand): Promise<ExitCode> {
  const own = defaultSocket();
  const path = socket ?? (existsSync(own) ? own : systemSocket);
  const url = await newLogin(path);
  process.stdout.write(`${url}\n`);
  const { DISPLAY: x11, WAYLAND_DISPLAY: wayland } = process.env;
  if (process.stdout.isTTY && (x11 ?? wayland) !== undefined) {
    const browser = spawn('xdg-open', [url], { stdio: 'ignore', detached: true });
    // the address has been printed
    browser.once('error', () => undefined);
    browser.unref();
  }
  process.stderr.write('trace-host: the address is valid once, for a minute\n');
  return exitCode.done;
}

async function newLogin(path: string): Promise<string> {
  let answer: string;
  try {
    answer = await post(path, '/api/login-codes');
  } catch (cause) {
    throw failureOf(path, codeOf(cause), cause);
  }
  const value: unknown = parsed(answer);
  const url = isObject(value) ? value['url'] : undefined;
  if (typeof url === 'string' && /^https?:\/\/[\w.:[\]-]+\/login#[\w-]+$/.test(url)) return url;
  throw new Failure(
    exitCode.failed,
    `${printable(path)} is no socket of trace-host serve: ${quoted(answer)}`,
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function failureOf(path: string, code: string, cause: unknown): Failure {
  const where = printable(path);
  if (code === 'EACCES')
    return new Failure(
      exitCode.notPermitted,
      `cannot connect to ${where}: permission denied`,
      'run as the user of the daemon, as root, or as a member of its group',
      { cause },
    );
  return new Failure(
    exitCode.missing,
    `no daemon listens on ${where} (${code})`,
    'start it with trace-host serve or systemctl start trace-host, or give its --socket',
    { cause },
  );
}

function post(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, method: 'POST', timeout: timeoutMs }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        if (text.length > maxAnswerBytes) answer.destroy();
      });
      answer.once('close', () => resolve(text));
    });
    sent.once('timeout', () => sent.destroy(new Error('it does not answer'))).once('error', reject);
    sent.end();
  });
}
