import { type ChildProcess, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { Failure } from '../../base/failure.ts';
import type { QmpListener } from '../qmp/connection.ts';
import { virshWithin } from '../setup/target/virsh.ts';
import { domainOf } from '../vcpus/vcpu-threads.ts';
import type { RunStateMonitor } from './pause-watch.ts';

/** How long virsh takes at most until it has asked libvirt for the events. */
const settleMs = 2000;
/** How long to wait before virsh is started again after it has ended: libvirt may be restarting. */
const restMs = 10_000;
/** How long to wait for an answer of libvirt. */
const patienceMs = 5000;

/**
 * virsh prints the events until it is killed, and would notice only at the next event that nobody reads them. The shell
 * ends it when this process ends, however that happens: then its stdin is at its end.
 */
const script = 'virsh "$@" & exec >&-; while read -r _; do :; done; kill $!';

/**
 * Follows a guest of libvirt through virsh: libvirt keeps QEMU's only QMP socket to itself. Changes nothing, and leaves
 * no mark on the domain.
 */
export class LibvirtMonitor implements RunStateMonitor {
  // a question starts a process
  readonly everyMs = 2000;
  readonly lateNs = 1_000_000_000n;
  readonly #domain: string;
  readonly #event: QmpListener['event'];
  #child: ChildProcess | undefined;
  #startedMs = 0;
  #notBeforeMs = 0;
  #closed = false;

  constructor(domain: string, event: QmpListener['event']) {
    this.#domain = domain;
    this.#event = event;
  }

  get isConnected(): boolean {
    return this.#child !== undefined && performance.now() - this.#startedMs >= settleMs;
  }

  look(): Promise<boolean> {
    if (this.#child === undefined && !this.#closed && performance.now() >= this.#notBeforeMs) this.#start();
    return Promise.resolve(this.isConnected);
  }

  async isRunning(): Promise<boolean | undefined> {
    try {
      return runs(await virshWithin(patienceMs, 'domstate', this.#domain));
    } catch (cause) {
      if (cause instanceof Failure) return undefined;
      throw cause;
    }
  }

  close(): void {
    this.#closed = true;
    this.#child?.stdin?.end();
    this.#child = undefined;
  }

  #start(): void {
    const words = ['--loop', '--domain', this.#domain, '--regex', '--event', '^(STOP|RESUME)$'];
    const env = { ...process.env, LC_ALL: 'C' };
    const child = spawn('sh', ['-c', script, 'sh', 'qemu-monitor-event', ...words], {
      env,
      stdio: ['pipe', 'pipe', 'ignore'],
      // Ctrl-C is for this process only
      detached: true,
    });
    this.#child = child;
    this.#startedMs = performance.now();
    child.on('error', () => this.#lose(child));
    child.stdin.on('error', () => this.#lose(child));
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (line) => this.#hear(line));
    // virsh has ended
    lines.on('close', () => this.#lose(child));
    // it must not keep this process alive
    child.unref();
    for (const pipe of [child.stdin, child.stdout]) if (pipe instanceof Socket) pipe.unref();
  }

  #hear(line: string): void {
    const event = this.#closed ? undefined : eventIn(line);
    if (event !== undefined) this.#event(event.name, event.realtimeUs);
  }

  #lose(child: ChildProcess): void {
    child.stdin?.destroy();
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#notBeforeMs = performance.now() + restMs;
  }
}

/** The domain of a QEMU that libvirt has started: it names the monitor; undefined for another QEMU. */
export function libvirtDomainOf(argv: readonly string[]): string | undefined {
  return argv.includes('chardev=charmonitor,id=monitor,mode=control') ? domainOf(argv) : undefined;
}

/** Parses a line of `virsh qemu-monitor-event`; undefined for other lines. */
export function eventIn(line: string): { readonly name: string; readonly realtimeUs: bigint } | undefined {
  const [, name, seconds, micros] =
    /^event (STOP|RESUME) at (\d{1,12})\.(\d{6}) for domain /.exec(line) ?? [];
  if (name === undefined || seconds === undefined || micros === undefined) return undefined;
  return { name, realtimeUs: BigInt(seconds) * 1_000_000n + BigInt(micros) };
}

/** Whether a domain runs in this state; undefined if it has none. */
export function runs(state: string): boolean | undefined {
  switch (state.trim()) {
    case 'running':
    case 'in shutdown':
      return true;
    case 'paused':
    case 'pmsuspended':
    case 'crashed':
      return false;
    default:
      return undefined;
  }
}
