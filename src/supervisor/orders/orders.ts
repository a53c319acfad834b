import type { Logger } from 'pino';
import { Failure } from '../../base/failure.ts';
import { clockNs } from '../../native/clock.ts';
import { x86Tsc } from '../../native/tsc.ts';
import type {
  Answer,
  CpuStatus,
  ErrorCode,
  MetadataOrder,
  Order,
  OrderId,
  OrderName,
  StartOrder,
  StatusAnswer,
  StopOrder,
} from '../../protocol/control.ts';
import type { Line } from '../../protocol/line-reader.ts';
import { parseLine } from '../../protocol/order-parser.ts';
import { packMetadata } from '../../tracefs/metadata/metadata.ts';
import { SettingsError } from '../../tracefs/settings/settings-error.ts';
import type { Supervisor } from '../workers/supervisor.ts';
import { statsOf, type Tracing, type TracingReport } from './tracing.ts';

/** Maximum number of orders that wait for the current one; further ones get an error answer. */
const queuedMax = 64;
/** Maximum number of invalid lines logged per minute; further ones are only counted. */
const complaintsMax = 10;
const complaintsMs = 60_000;

type Send = (answer: Answer, payload?: Uint8Array) => void;

type MovingOrder = StartOrder | StopOrder;

/** Carries out the host's orders: starts and stops one after the other, queries at once. */
export class Orders {
  readonly #supervisor: Supervisor;
  readonly #tracing: Tracing;
  readonly #allow: ReadonlySet<OrderName>;
  readonly #version: string;
  readonly #send: Send;
  readonly #log: Logger;
  readonly #bornMs = performance.now();
  #queue: MovingOrder[] = [];
  #current: MovingOrder | undefined;
  #idle: Promise<void> = Promise.resolve();
  #closed = false;
  #packing = false;
  #complaints = 0;
  #complaintsFromMs = 0;

  constructor(
    supervisor: Supervisor,
    tracing: Tracing,
    allow: ReadonlySet<OrderName>,
    version: string,
    send: Send,
    log: Logger,
  ) {
    this.#supervisor = supervisor;
    this.#tracing = tracing;
    this.#allow = allow;
    this.#version = version;
    this.#send = send;
    this.#log = log;
  }

  /** Handles one line of the control port. Never throws, never waits. */
  take(line: Line): void {
    const parsed = parseLine(line);
    if (parsed.kind === 'order') this.order(parsed.order);
    else {
      this.#complain(parsed.message);
      if (parsed.answerable) this.#refuse(parsed.id, parsed.code, parsed.message);
    }
  }

  order(order: Order): void {
    if (!this.#allow.has(order.order)) {
      const message = `this guest does not accept the order ${order.order}`;
      this.#complain(message);
      if (order.answer) this.#refuse(order.id ?? null, 'not-allowed', message);
      return;
    }
    switch (order.order) {
      case 'start':
      case 'stop':
        return this.#enqueue(order);
      case 'status':
        return this.#send({ id: order.id ?? null, ok: true, ...this.status() });
      case 'metadata':
        return void this.#metadata(order);
      case 'ping':
        return this.#ping(order.id ?? null);
      default:
        return order satisfies never;
    }
  }

  /** Starts tracing without an order from the host, even if the host may not give this order. */
  begin(): void {
    this.#enqueue({ order: 'start', id: undefined, answer: false });
  }

  /** The answer to the status order. */
  status(): Omit<StatusAnswer, 'id' | 'ok'> {
    return {
      version: this.#version,
      uptimeMs: Math.round(performance.now() - this.#bornMs),
      state: this.#supervisor.state,
      ...this.#tracing.source,
      cpus: Object.fromEntries(
        this.#supervisor.cpus.map((cpu): [string, CpuStatus] => [
          String(cpu.number),
          {
            state: cpu.state,
            ...(cpu.waitReason === undefined ? {} : { reason: cpu.waitReason }),
            pid: cpu.pid ?? null,
            restarts: cpu.restarts,
            ...cpu.account,
            ring: statsOf(this.#tracing.tracefs, cpu.number),
          },
        ]),
      ),
    };
  }

  /** Accepts no further orders; resolves when the current one is done. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#queue = [];
    await this.#idle;
  }

  #ping(id: OrderId | null): void {
    const tsc = x86Tsc();
    const clocks = {
      boottime: String(clockNs('boottime')),
      monotonicRaw: String(clockNs('monotonicRaw')),
      realtime: String(clockNs('realtime')),
      monotonic: String(clockNs('monotonic')),
      ...(tsc !== undefined && { x86Tsc: String(tsc) }),
    };
    this.#send({ id, ok: true, clocks });
  }

  #enqueue(order: MovingOrder): void {
    if (this.#closed) return;
    if (this.#queue.length >= queuedMax) {
      if (order.answer)
        return this.#refuse(order.id ?? null, 'busy', `${queuedMax} orders are already waiting`);
      // Of many bare orders in a row, only the last one counts.
      this.#queue.pop();
    }
    this.#queue.push(order);
    // The last order wins: a start without settings ends a running flush. A start with settings waits for its turn.
    const overtakes = order.order === 'start' && order.trace === undefined && this.#tracing.yields;
    // only once, because a line of 65,536 digits is that many orders
    if (overtakes && this.#supervisor.wanted === 'stop') void this.#supervisor.start();
    if (this.#current === undefined) this.#idle = this.#workOff();
  }

  async #workOff(): Promise<void> {
    for (;;) {
      this.#current = this.#queue.shift();
      if (this.#current === undefined) return;
      const { id = null, answer } = this.#current;
      try {
        const done = await this.#carryOut(this.#current);
        if (answer) this.#send(done);
      } catch (error) {
        const [code, message] = explain(error);
        this.#log.error({ order: this.#current.order, code }, message);
        if (answer) this.#refuse(id, code, message);
      }
    }
  }

  async #carryOut(order: MovingOrder): Promise<Answer> {
    const id = order.id ?? null;
    if (order.order === 'start') {
      const cpus = await this.#tracing.start(order.trace);
      return { id, ok: true, state: this.#supervisor.state, ...this.#tracing.source, cpus };
    }
    const report = await this.#tracing.stop();
    if ([...report.cpus.values()].some(({ outcome }) => outcome === 'superseded')) {
      return {
        id,
        ok: false,
        error: { code: 'superseded', message: 'a later start came before the stop was done' },
      };
    }
    return { id, ok: true, state: this.#supervisor.state, ...report.source, ledger: ledgerOf(report) };
  }

  async #metadata({ id: asked, part, have }: MetadataOrder): Promise<void> {
    const id = asked ?? null;
    if (this.#packing) return this.#refuse(id, 'busy', 'metadata is already being packed');
    this.#packing = true;
    try {
      this.#tracing.mustBeOpen();
      const { packed, same } = await packMetadata(this.#tracing.tracefs, part, have);
      const told = have === undefined ? {} : { same };
      this.#send({ id, ok: true, bytes: packed.byteLength, encoding: 'gzip', ...told }, packed);
    } catch (error) {
      const [code, message] = explain(error);
      this.#log.error({ order: 'metadata', code }, message);
      this.#refuse(id, code, message);
    } finally {
      this.#packing = false;
    }
  }

  #refuse(id: OrderId | null, code: ErrorCode, message: string): void {
    this.#send({ id, ok: false, error: { code, message } });
  }

  #complain(message: string): void {
    const nowMs = performance.now();
    if (nowMs - this.#complaintsFromMs >= complaintsMs) {
      const unsaid = this.#complaints - complaintsMax;
      if (unsaid > 0) this.#log.warn({ unsaid }, 'more bad orders, not logged');
      this.#complaints = 0;
      this.#complaintsFromMs = nowMs;
    }
    this.#complaints += 1;
    if (this.#complaints <= complaintsMax) this.#log.warn(message);
  }
}

function ledgerOf({ cpus, stats }: TracingReport) {
  return Object.fromEntries(
    [...cpus].map(([cpu, { ledger }]) => [String(cpu), { ...ledger, ring: stats.get(cpu) ?? null }]),
  );
}

function explain(error: unknown): [ErrorCode, string] {
  if (error instanceof SettingsError) return [error.code, error.message];
  if (error instanceof Failure)
    return ['failed', error.remedy === '' ? error.message : `${error.message}; ${error.remedy}`];
  return ['failed', error instanceof Error ? error.message : String(error)];
}
