import { constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fixture, samplePages } from './hostile-guest-samples.ts';

export interface Order {
  readonly id: string;
  readonly order: 'start' | 'stop' | 'status' | 'metadata' | 'ping';
  readonly part?: 'names';
}

type Bytes = Iterable<Uint8Array>;
type Pages = Bytes | AsyncIterable<Uint8Array>;

const cpus = [0, 1] as const;
/** Maximum time to wait for a host that accepts no more pages. */
const mostSendingMs = 5000;

/**
 * A guest as its QEMU presents it to the host: the guest ends of the ports' FIFOs. By default it answers like a
 * correct agent and sends a recorded trace; a scenario changes what it takes to make it hostile.
 */
export class HostileAgent {
  state = 'stopped';
  /** Whether a stop has arrived: metadata is then that of the end. */
  stopped = false;
  version = '1.0.0';
  pages: (cpu: number) => Pages = (cpu) => [samplePages(cpu)];
  /** Whether pages that are not in an array end at a stop, which then waits for them. */
  pagesEnd = false;
  metadata: (part: 'all' | 'names') => { readonly bytes?: number; readonly payload: Bytes } = () => ({
    payload: [fixture('A/meta.tar.gz')],
  });
  /** Changes an answer; a string is sent unchanged, and undefined means no answer. */
  answer: (order: Order, good: Record<string, unknown>) => unknown = (_order, good) => good;
  /** Called after an order's answer. */
  after: (order: Order) => void = () => undefined;
  readonly sent = new Map<number, number>(cpus.map((cpu) => [cpu, 0]));
  /** A finite number of pages that are being sent: a stop waits for them, like an agent's. */
  #sending: Promise<unknown> = Promise.resolve();
  readonly #dir: string;
  readonly #control: Socket;
  readonly #ports: ReadonlyMap<number, Socket>;
  #startedMs = performance.now() - 60_000;
  #heard = '';

  constructor(dir: string) {
    this.#dir = dir;
    this.#control = this.#end('agent-ctl-path.out');
    this.#ports = new Map(cpus.map((cpu) => [cpu, this.#end(`trace-path-cpu${cpu}.out`)]));
    const orders = new Socket({ fd: this.#open('agent-ctl-path.in'), writable: false });
    orders.on('data', (bytes) => this.#hear(bytes.toString('latin1')));
  }

  restart(): void {
    this.#startedMs = performance.now();
    this.state = 'stopped';
  }

  say(bytes: string | Uint8Array): Promise<void> {
    return put(this.#control, bytes);
  }

  async sayAll(pieces: Bytes): Promise<void> {
    for (const piece of pieces) await this.say(piece);
  }

  async send(cpu: number, pieces: Pages): Promise<void> {
    for await (const piece of pieces) {
      await put(this.#ports.get(cpu)!, piece);
      this.sent.set(cpu, this.sent.get(cpu)! + piece.length);
    }
  }

  /** Ends like a guest whose QEMU is killed. */
  die(): void {
    process.exit(0);
  }

  #open(name: string): number {
    return openSync(join(this.#dir, name), constants.O_RDWR | constants.O_NONBLOCK);
  }

  #end(name: string): Socket {
    return new Socket({ fd: this.#open(name), readable: false, writable: true });
  }

  #hear(text: string): void {
    const lines = (this.#heard + text).split('\n');
    this.#heard = lines.pop() ?? '';
    for (const line of lines) if (line.trim().startsWith('{')) void this.#obey(JSON.parse(line));
  }

  async #obey(order: Order): Promise<void> {
    if (order.order === 'start') this.state = 'running';
    if (order.order === 'stop') {
      this.state = 'stopped';
      this.stopped = true;
      await Promise.race([this.#sending, sleep(mostSendingMs)]);
    }
    const content = order.order === 'metadata' ? this.metadata(order.part ?? 'all') : undefined;
    const payload = content === undefined ? [] : [...(content.bytes === undefined ? content.payload : [])];
    const bytes = content?.bytes ?? payload.reduce((sum, piece) => sum + piece.length, 0);
    const answer = this.answer(order, { ...this.#good(order), ...(content === undefined ? {} : { bytes }) });
    if (answer !== undefined) {
      const line = typeof answer === 'string' ? answer : `${JSON.stringify(answer)}\n`;
      // at once: no other answer may come in between
      await this.say(Buffer.concat([Buffer.from(line), ...payload]));
      if (content?.bytes !== undefined) await this.sayAll(content.payload);
    }
    if (order.order === 'start') this.#sendPages();
    this.after(order);
  }

  #sendPages(): void {
    const finite: Promise<void>[] = [];
    for (const cpu of cpus) {
      const pages = this.pages(cpu);
      const sent = this.send(cpu, pages);
      if (Array.isArray(pages) || this.pagesEnd) finite.push(sent);
    }
    this.#sending = Promise.all(finite);
  }

  #good({ id, order }: Order): Record<string, unknown> {
    const source = { instance: null, clock: 'local', pageBytes: 4096 };
    const ring = { entries: 0, overrun: 0, commitOverrun: 0, bytes: 0, droppedEvents: 0, readEvents: 0 };
    const perCpu = (rest: object): object =>
      Object.fromEntries(
        cpus.map((cpu) => {
          const bytesOut = this.sent.get(cpu) ?? 0;
          return [
            cpu,
            { pagesIn: Math.floor(bytesOut / 4096), bytesOut, bytesLost: 0, stalls: 0, ring, ...rest },
          ];
        }),
      );
    switch (order) {
      case 'start':
        return { id, ok: true, state: this.state, ...source };
      case 'stop':
        return {
          id,
          ok: true,
          state: this.state,
          ...source,
          ledger: perCpu({ bytesHeld: 0, flushed: true }),
        };
      case 'status': {
        const uptimeMs = Math.round(performance.now() - this.#startedMs);
        const running = perCpu({ state: 'running', pid: 1, restarts: 0 });
        return { id, ok: true, version: this.version, uptimeMs, state: this.state, ...source, cpus: running };
      }
      case 'metadata':
        return { id, ok: true, encoding: 'gzip' };
      case 'ping':
        return { id, ok: true, clocks: { boottime: '1', monotonicRaw: '1', realtime: '1' } };
      default:
        return order satisfies never;
    }
  }
}

function put(port: Socket, bytes: string | Uint8Array): Promise<void> {
  return new Promise((resolve) => port.write(bytes, () => resolve()));
}
