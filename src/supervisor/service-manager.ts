import { sendUnixDatagram } from '../native/ipc/unix-socket.ts';

/** Interval at which the agent's status is checked; shorter when the watchdog requires it. */
const lookMs = 1000;
/** Added to the maximum time of a stop when the manager is asked to wait. */
const stopMarginMs = 5000;

/**
 * Notifies the service manager that started the agent (systemd's Type=notify, see `man sd_notify`): ready, status,
 * stopping and, for its watchdog, that the event loop runs. Does nothing without a service manager. Never blocks:
 * what its queue does not accept is sent again at the next check.
 */
export class ServiceManager {
  readonly #address: string | undefined;
  readonly #beatMs: number | undefined;
  #describe: (() => string) | undefined;
  #saidReady = false;
  #saidStatus = '';
  #beatAtMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  /** Removes the manager's address from `env`, so that child processes do not notify it. */
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
   * Reports that everything is open and all workers run. From then on until `close`, also reports the status.
   * @param describe returns one line; called at each check
   */
  ready(describe: () => string): void {
    if (this.#address === undefined) return;
    this.#describe = describe;
    this.#look();
    this.#timer = setInterval(() => this.#look(), Math.min(lookMs, this.#beatMs ?? lookMs));
    this.#timer.unref();
  }

  /** @param withinMs the longest time that a stop may take; the manager is asked to wait that long */
  stopping(withinMs: number): void {
    this.#describe = undefined;
    const patienceUs = Math.ceil((withinMs + stopMarginMs) * 1000);
    this.#say(['STOPPING=1', 'STATUS=Sending remaining pages', `EXTEND_TIMEOUT_USEC=${patienceUs}`]);
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

  /** @returns whether the manager's queue accepted it */
  #say(lines: readonly string[]): boolean {
    if (this.#address === undefined) return false;
    try {
      sendUnixDatagram(this.#address, lines.join('\n'));
      return true;
    } catch {
      // the manager's queue is full, or the manager is restarting: the next check tries again
      return false;
    }
  }
}
