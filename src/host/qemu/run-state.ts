import { readFileSync } from 'node:fs';
import { isObject } from '../../base/json-type.ts';
import { QmpConnection, QmpRefusal } from '../qmp/connection.ts';
import { Failure } from '../../base/failure.ts';
import type { Holder } from './holders.ts';

/** The state of a guest, as seen from outside. */
export type RunState =
  | { readonly kind: 'known'; readonly state: string }
  /** QEMU itself does not run: it was stopped by SIGSTOP or a debugger. */
  | { readonly kind: 'process-stopped' }
  /** `why`: for messages, e.g. "it has no QMP socket". */
  | { readonly kind: 'unknown'; readonly why: string };

/** How long to wait for QEMU. It answers at once or, while another program is connected, not at all. */
const patienceMs = 1500;

/**
 * Asks QEMU whether its guest runs, through a QMP socket of its command line. Changes nothing. Waits at most 1.5 s
 * for each socket: QEMU serves one client at a time, and a connected client is not disturbed.
 */
export async function runStateOf(qemu: Pick<Holder, 'pid' | 'argv'>): Promise<RunState> {
  if (isStopped(qemu.pid)) return { kind: 'process-stopped' };
  const sockets = qmpSockets(qemu.argv);
  if (sockets.length === 0) return { kind: 'unknown', why: 'its command line has no QMP socket with a path' };
  for (const socket of sockets) {
    const state = await queryStatus(socket);
    if (state !== undefined) return { kind: 'known', state };
  }
  return { kind: 'unknown', why: 'its QMP socket does not answer; another program may be connected' };
}

/**
 * Paths of the UNIX sockets on which a QEMU with these arguments serves QMP; absolute ones only, because its working
 * directory may differ.
 */
export function qmpSockets(argv: readonly string[]): string[] {
  const paths: string[] = [];
  const chardevs = new Map<string, string>();
  const monitors: string[] = [];
  argv.forEach((option, index) => {
    const value = argv[index + 1] ?? '';
    const fields = fieldsOf(value);
    switch (option.replace(/^--/, '-')) {
      case '-qmp':
      case '-qmp-pretty': {
        const path = /^unix:(.*)$/.exec(value.split(',')[0] ?? '')?.[1];
        if (path !== undefined) paths.push(path);
        break;
      }
      case '-chardev':
        chardevs.set(fields.get('id') ?? '', fields.get('path') ?? '');
        break;
      case '-mon':
        if (fields.get('mode') === 'control') monitors.push(fields.get('chardev') ?? fields.get('') ?? '');
        break;
    }
  });
  for (const monitor of monitors) paths.push(chardevs.get(monitor) ?? '');
  return paths.filter((path) => path.startsWith('/'));
}

/** Parses QEMU's `a=b,c=d`; a first word without a name gets the empty name. */
function fieldsOf(text: string): Map<string, string> {
  return new Map(
    text.split(',').map((field): [string, string] => {
      const at = field.indexOf('=');
      return at < 0 ? ['', field] : [field.slice(0, at), field.slice(at + 1)];
    }),
  );
}

async function queryStatus(socket: string): Promise<string | undefined> {
  let qmp: QmpConnection | undefined;
  try {
    qmp = await QmpConnection.open(socket, patienceMs);
    const answer = await qmp.execute('query-status');
    const status = isObject(answer) ? answer['status'] : undefined;
    return typeof status === 'string' && /^[a-z-]{1,32}$/.test(status) ? status : undefined;
  } catch (cause) {
    if (cause instanceof Failure || cause instanceof QmpRefusal) return undefined;
    throw cause;
  } finally {
    qmp?.close();
  }
}

function isStopped(pid: number): boolean {
  try {
    // the state follows the name, which may contain whitespace and parentheses
    return /^.*\) [Tt] /s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
