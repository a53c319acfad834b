import { readFileSync } from 'node:fs';
import { Failure } from '../../base/failure.ts';
import { isObject } from '../../base/json-type.ts';
import { QmpConnection, type QmpListener, QmpRefusal } from './connection.ts';

/** How long to wait for QEMU to answer a new client. */
const patienceMs = 1500;
/** How long to leave sockets alone after one was left to another program, or none was free. */
const restMs = 2000;

/**
 * A lasting connection to a QEMU, for its events. QEMU serves one client of a socket at a time: a socket that is in use
 * is left alone, and when another program waits for it, this connection makes way.
 */
export class QmpMonitor {
  readonly everyMs = 500;
  readonly lateNs = 0n;
  readonly #sockets: readonly string[];
  readonly #event: QmpListener['event'];
  #qmp: QmpConnection | undefined;
  #path = '';
  #notBeforeMs = 0;
  #closed = false;

  /** @param sockets paths of its QMP sockets. Of several, the last is used: other programs often use the first. */
  constructor(sockets: readonly string[], event: QmpListener['event']) {
    this.#sockets = sockets;
    this.#event = event;
  }

  get isConnected(): boolean {
    return this.#qmp !== undefined;
  }

  /**
   * Connects if it is time to, and makes way for another program. Call it regularly; not again before it has settled.
   * Does not throw.
   * @returns whether it is connected
   */
  async look(): Promise<boolean> {
    if (this.#qmp !== undefined && useOf(this.#path) === 'awaited') {
      this.#notBeforeMs = performance.now() + restMs;
      this.#qmp.close();
      this.#qmp = undefined;
    }
    if (this.#qmp === undefined && performance.now() >= this.#notBeforeMs) await this.#connect();
    return this.#qmp !== undefined;
  }

  /** Runs a command. Does not throw. @returns undefined if it is not connected, or QEMU refuses */
  async execute(command: string): Promise<unknown> {
    try {
      return await this.#qmp?.execute(command);
    } catch (cause) {
      if (cause instanceof Failure || cause instanceof QmpRefusal) return undefined;
      throw cause;
    }
  }

  /** Whether QEMU runs its guest. Does not throw. @returns undefined if it does not say so */
  async isRunning(): Promise<boolean | undefined> {
    const status = await this.execute('query-status');
    const running = isObject(status) ? status['running'] : undefined;
    return typeof running === 'boolean' ? running : undefined;
  }

  /** Nothing is told any more. */
  close(): void {
    this.#closed = true;
    this.#qmp?.close();
    this.#qmp = undefined;
  }

  async #connect(): Promise<void> {
    this.#notBeforeMs = performance.now() + restMs;
    for (const path of this.#sockets.toReversed()) {
      if (useOf(path) !== 'free') continue;
      const qmp = await this.#open(path);
      if (qmp === undefined) continue;
      if (this.#closed) {
        qmp.close();
        return;
      }
      this.#qmp = qmp;
      this.#path = path;
      return;
    }
  }

  async #open(path: string): Promise<QmpConnection | undefined> {
    const opened: { qmp?: QmpConnection } = {};
    try {
      opened.qmp = await QmpConnection.open(path, patienceMs, {
        event: (name, realtimeUs) => {
          if (!this.#closed) this.#event(name, realtimeUs);
        },
        ended: () => this.#lose(opened.qmp),
      });
      return opened.qmp;
    } catch (cause) {
      if (cause instanceof Failure || cause instanceof QmpRefusal) return undefined;
      throw cause;
    }
  }

  #lose(qmp: QmpConnection | undefined): void {
    if (qmp !== undefined && this.#qmp === qmp) this.#qmp = undefined;
  }
}

/** States of /proc/net/unix: SS_CONNECTING without an inode is a client that QEMU has not accepted yet. */
const waiting = { state: '02', inode: '0' };
const served = { state: '03' };

/**
 * How a QEMU's socket is used: `awaited` if a client waits until it is served; `unknown` if it is not a socket of this
 * network namespace, so that waiting clients could not be seen.
 */
function useOf(path: string): 'free' | 'served' | 'awaited' | 'unknown' {
  let use: 'free' | 'served' | 'unknown' = 'unknown';
  for (const line of socketLines()) {
    const [, state, inode, name] = /^(?:\S+ ){5}(\S+) +(\d+) (.*)$/.exec(line) ?? [];
    if (name !== path) continue;
    if (state === waiting.state && inode === waiting.inode) return 'awaited';
    if (state === served.state) use = 'served';
    else if (use === 'unknown') use = 'free';
  }
  return use;
}

function socketLines(): string[] {
  try {
    return readFileSync('/proc/net/unix', 'utf8').split('\n');
  } catch {
    return [];
  }
}
