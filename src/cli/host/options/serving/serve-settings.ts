import { isIP } from 'node:net';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { exitCode, Failure } from '../../../../base/failure.ts';
import { quoted } from '../../../../base/quoted.ts';
import type { Listen } from '../../../../serve/settings.ts';
import { logLevels } from '../../../../supervisor/options.ts';
import { parseChoice } from '../../../options/choice.ts';
import { parsePath } from '../../../options/names.ts';
import type { Setting } from '../../../options/setting.ts';

/** Where the system's daemon listens. */
export const systemSocket = '/run/trace-host/serve.sock';
/** The size of the kernel's sun_path, less the terminating NUL. */
const maxSocketPathBytes = 107;

/** Options of `serve` and `open`. */
export const serveSettings = {
  listen: {
    long: 'listen',
    placeholder: 'ADDRESS:PORT',
    description: 'where to serve the page and the API; others than this machine only with --tls-cert',
    defaultText: '127.0.0.1:7117',
    parse: parseListen,
  },
  serveSocket: {
    long: 'socket',
    placeholder: 'PATH',
    description:
      'UNIX socket of the API, for those who may write to it (default: /run/trace-host/serve.sock, without root ' +
      '$XDG_RUNTIME_DIR/trace-host/serve.sock)',
    values: 'file',
    parse: parseSocket,
  },
  data: {
    long: 'data',
    placeholder: 'DIR',
    description:
      'directory of recordings (default: /var/lib/trace-host, without root ~/.local/state/trace-host)',
    values: 'directory',
    parse: parsePath,
  },
  tlsCert: {
    long: 'tls-cert',
    placeholder: 'FILE',
    description: 'certificate in PEM form, to serve https',
    values: 'file',
    parse: parsePath,
  },
  tlsKey: {
    long: 'tls-key',
    placeholder: 'FILE',
    description: 'its key',
    values: 'file',
    parse: parsePath,
  },
  serveLogLevel: {
    long: 'log-level',
    placeholder: 'LEVEL',
    description: `lowest level to log: ${logLevels.join(', ')}`,
    values: { words: logLevels },
    defaultText: 'info',
    parse: (text: string, name: string) => parseChoice(text, name, logLevels),
  },
} as const satisfies Record<string, Setting<unknown>>;

/** systemd's StateDirectory=, root's, or the user's. */
export function defaultDataDir(): string {
  const [given = ''] = (process.env['STATE_DIRECTORY'] ?? '').split(':');
  if (isAbsolute(given)) return given;
  if (process.geteuid?.() === 0) return '/var/lib/trace-host';
  const home = process.env['XDG_STATE_HOME'] ?? '';
  return join(isAbsolute(home) ? home : join(homedir(), '.local', 'state'), 'trace-host');
}

/** systemd's RuntimeDirectory=, root's, or the user's. */
export function defaultSocket(): string {
  const [given = ''] = (process.env['RUNTIME_DIRECTORY'] ?? '').split(':');
  if (isAbsolute(given)) return join(given, 'serve.sock');
  const user = process.env['XDG_RUNTIME_DIR'] ?? '';
  const isRoot = process.geteuid?.() === 0;
  return isRoot || !isAbsolute(user) ? systemSocket : join(user, 'trace-host', 'serve.sock');
}

function parseSocket(text: string, name: string): string {
  const path = resolve(parsePath(text, name));
  if (Buffer.byteLength(path) <= maxSocketPathBytes) return path;
  throw new Failure(
    exitCode.usage,
    `${name}: the path is longer than ${maxSocketPathBytes} bytes`,
    'give a shorter one',
  );
}

function parseListen(text: string, name: string): Listen {
  const [, bracketed, plain, port] = /^(?:\[([\da-fA-F:.]+)\]|([\d.]+)):(\d{1,5})$/.exec(text) ?? [];
  const address = bracketed ?? plain ?? '';
  if (isIP(address) !== 0 && Number(port) <= 65_535) return { address, port: Number(port) };
  throw new Failure(
    exitCode.usage,
    `${name}: ${quoted(text)} is not an address and a port`,
    'use e.g. 127.0.0.1:7117 or [::1]:7117',
  );
}
