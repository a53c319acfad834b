import { readFileSync } from 'node:fs';
import { isObject } from '../../base/json-type.ts';
import { QmpConnection, QmpRefusal } from '../qmp/connection.ts';
import { Failure } from '../../base/failure.ts';
import type { Holder } from './holders.ts';

/** What QEMU is doing with a guest, as seen from outside. */
export type RunState =
  | { readonly kind: 'known'; readonly state: string }
  /** QEMU itself does not run: it was sent SIGSTOP, or is being debugged. */
  | { readonly kind: 'process-stopped' }
  /** `why`: for a person, as "it has no QMP socket". */
  | { readonly kind: 'unknown'; readonly why: string };

/** QEMU answers at once unless another program is connected, and then not at all. */
const patienceMs = 1500;

/**
 * Asks QEMU by a QMP socket of its command line whether its guest runs. Changes nothing; waits 1.5 s at most for
 * each socket: QEMU serves one client at a time, and who is connected is not disturbed.
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

/** Paths of the UNIX sockets on which a QEMU with these arguments speaks QMP; absolute ones only, for its directory is not ours. */
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

/** `a=b,c=d` as QEMU has it; the first word without a name under the empty name. */
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
    // behind the name, which may have blanks and parentheses in it
    return /^.*\) [Tt] /s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
