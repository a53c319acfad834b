import { sendUnixDatagram } from '../native/ipc/unix-socket.ts';

/** How often what is to be said is looked at; less when the watchdog wants it so. */
const lookMs = 1000;
/** Beyond what the agent itself allows a stop to take. */
const stopMarginMs = 5000;

/**
 * What a service manager is told that started us and wants to hear of us (systemd's Type=notify; `man sd_notify` has
 * the protocol): ready, what we do, that we end, and, for its watchdog, that the event loop turns. Nobody is told
 * anything where nobody asked. Never waits: what its queue does not take is said at the next look.
 */
export class ServiceManager {
  readonly #address: string | undefined;
  readonly #beatMs: number | undefined;
  #describe: (() => string) | undefined;
  #saidReady = false;
  #saidStatus = '';
  #beatAtMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  /** Takes its address out of `env`, so that nothing that we start speaks for us. */
  constructor(env: NodeJS.ProcessEnv = process.env) {
    const { NOTIFY_SOCKET: address, WATCHDOG_USEC: periodUs, WATCHDOG_PID: whose } = env;
    delete env['NOTIFY_SOCKET'];
    delete env['WATCHDOG_USEC'];
    delete env['WATCHDOG_PID'];
    if (address === undefined || !/^[/@]./.test(address)) return;
    this.#address = address;
    if (!/^[1-9]\d*$/.test(periodUs ?? '')) return;
    if (whose === undefined || Number(whose) === process.pid) this.#beatMs = Number(periodUs) / 1000 / 2;
  }

  /**
   * All is open and workers are up. From now on, until `close`, the manager hears what we do.
   * @param describe one line, asked for at each look
   */
  ready(describe: () => string): void {
    if (this.#address === undefined) return;
    this.#describe = describe;
    this.#look();
    this.#timer = setInterval(() => this.#look(), Math.min(lookMs, this.#beatMs ?? lookMs));
    this.#timer.unref();
  }

  /** @param withinMs how long a stop may take by our own rules: the manager is asked for as much patience */
  stopping(withinMs: number): void {
    this.#describe = undefined;
    const patienceUs = Math.ceil((withinMs + stopMarginMs) * 1000);
    this.#say(['STOPPING=1', 'STATUS=Sends what is left', `EXTEND_TIMEOUT_USEC=${patienceUs}`]);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const lines: string[] = [];
    const nowMs = performance.now();
    const status = this.#describe?.() ?? this.#saidStatus;
    if (!this.#saidReady) lines.push('READY=1');
    if (status !== this.#saidStatus) lines.push(`STATUS=${status}`);
    const beat = this.#beatMs !== undefined && nowMs - this.#beatAtMs >= this.#beatMs - lookMs / 2;
    if (beat) lines.push('WATCHDOG=1');
    if (lines.length === 0 || !this.#say(lines)) return;
    this.#saidReady = true;
    this.#saidStatus = status;
    if (beat) this.#beatAtMs = nowMs;
  }

  /** @returns whether it was taken */
  #say(lines: readonly string[]): boolean {
    if (this.#address === undefined) return false;
    try {
      sendUnixDatagram(this.#address, lines.join('\n'));
      return true;
    } catch {
      // its queue is full, or it is being started anew: the next look tries again
      return false;
    }
  }
}
