import type { ExitCode } from '../../base/failure.ts';
import { exitCode } from '../../base/failure.ts';
import { ControlClient } from '../../host/control/client.ts';
import type { Clocks, PingClock, PingRound } from '../../host/control/ping.ts';
import { fastest, offsetNs, roundTripNs } from '../../host/control/ping.ts';
import { GuestDir } from '../../host/guest-dir/guest-dir.ts';
import { tracePortName } from '../../host/port-names.ts';
import { cutOff } from '../../host/qemu/guest-trouble.ts';
import type { CpuLedger, CpuStatus, PerCpu, StatusAnswer, StopAnswer } from '../../protocol/control.ts';
import type { HostCommand, OrderOptions } from './options/host-options.ts';
import { humanBytes, humanDuration, signedSeconds, table } from '../report/human.ts';
import { LiveText } from '../report/live-text.ts';
import { Waiting } from '../report/waiting.ts';

/** A command's output and exit code. */
interface Result {
  readonly json: object;
  readonly text: string;
  /** Lines for stderr. */
  readonly notes?: readonly string[];
  readonly exitCode: ExitCode;
}

type OrderCommand = Extract<HostCommand, { readonly kind: 'start' | 'stop' | 'status' | 'ping' }>;

/** Sends one order and prints its answer. Throws Failure. */
export async function runOrder(command: OrderCommand): Promise<ExitCode> {
  const { location, timeoutMs, json } = command.options;
  const guest = GuestDir.open(location);
  try {
    const client = await ControlClient.open(guest, { timeoutMs });
    const what = `${guest.label}: waiting for it to carry out the order ${command.kind}`;
    const waiting = new Waiting(new LiveText(process.stderr), () => what);
    try {
      const result = await order(command, guest, client);
      waiting.stop();
      process.stdout.write(json ? `${JSON.stringify(result.json)}\n` : result.text);
      for (const note of [...(result.notes ?? []), ...cutOffNotes(guest)])
        process.stderr.write(`trace-host: ${note}\n`);
      return result.exitCode;
    } finally {
      waiting.stop();
      client.close();
    }
  } finally {
    guest.close();
  }
}

/** A note if the guest's trace data cannot arrive although its agent answers. */
function cutOffNotes(guest: GuestDir): string[] {
  const lost = cutOff(guest);
  return lost === undefined ? [] : [`${lost.message} — ${lost.remedy}`];
}

async function order(command: OrderCommand, guest: GuestDir, client: ControlClient): Promise<Result> {
  switch (command.kind) {
    case 'start':
    case 'stop':
      if (command.bare) return bare(command.kind, guest, client);
      return command.kind === 'start' ? start(guest, client) : stop(guest, client);
    case 'status':
      return status(guest, client);
    case 'ping':
      return ping(guest, client, command.options);
    default:
      return command satisfies never;
  }
}

async function bare(kind: 'start' | 'stop', guest: GuestDir, client: ControlClient): Promise<Result> {
  await client.sendBare(kind);
  return {
    json: { guest: guest.guest ?? null, sent: kind },
    text: '',
    notes: [`sent a bare ${kind === 'start' ? 1 : 0} to ${guest.label}; it does not confirm the order`],
    exitCode: exitCode.done,
  };
}

async function start(guest: GuestDir, client: ControlClient): Promise<Result> {
  const { state } = await client.start();
  return {
    json: { guest: guest.guest ?? null, state },
    text: `${guest.label}: ${state}\n`,
    exitCode: exitCode.done,
  };
}

async function stop(guest: GuestDir, client: ControlClient): Promise<Result> {
  const { state, ledger } = await client.stop();
  const whole = Object.values(ledger).every((cpu) => cpu.bytesLost === 0 && cpu.flushed);
  return {
    json: { guest: guest.guest ?? null, state, ledger },
    text: `${guest.label}: ${state}\n${ledgerTable(ledger)}`,
    notes: stopNotes(guest, ledger),
    exitCode: whole ? exitCode.done : exitCode.lost,
  };
}

function ledgerTable(ledger: StopAnswer['ledger']): string {
  const head = ['CPU', 'pages', 'sent', 'held', 'lost', 'stalls', 'overrun', 'in ring'];
  return table(
    head,
    inOrder(ledger).map(([cpu, { pagesIn, bytesOut, bytesHeld, bytesLost, stalls, ring }]) => [
      cpu,
      String(pagesIn),
      humanBytes(bytesOut),
      humanBytes(bytesHeld),
      humanBytes(bytesLost),
      String(stalls),
      String(ring?.overrun ?? '-'),
      String(ring?.entries ?? '-'),
    ]),
  );
}

function stopNotes(guest: GuestDir, ledger: PerCpu<CpuLedger>): string[] {
  const notes: string[] = [];
  for (const [cpu, { bytesHeld, bytesLost, flushed }] of inOrder(ledger)) {
    if (bytesLost > 0)
      notes.push(`CPU ${cpu}: ${humanBytes(bytesLost)} lost in the guest since its agent started`);
    const port = `${guest.path}/${tracePortName(Number(cpu))}.${guest.chardev === 'pipe' ? 'out' : 'socket'}`;
    if (bytesHeld > 0)
      notes.push(
        `CPU ${cpu}: ${humanBytes(bytesHeld)} are held in the guest because its port accepted no more data; they are ` +
          `sent first at the next start — read ${port}`,
      );
    else if (!flushed)
      notes.push(`CPU ${cpu}: its ring was not emptied — see trace-host status${guest.options}`);
  }
  return notes;
}

async function status(guest: GuestDir, client: ControlClient): Promise<Result> {
  const { version, uptimeMs, state, cpus } = await client.status();
  const gaveUp = Object.values(cpus).some((cpu) => cpu.state === 'failed');
  const summary = `${guest.label}: ${state}, trace-agent ${version}, up ${humanDuration(uptimeMs)}`;
  return {
    json: { guest: guest.guest ?? null, version, uptimeMs, state, cpus },
    text: `${summary}\n${statusTable(cpus)}`,
    exitCode: gaveUp ? exitCode.lost : exitCode.done,
  };
}

function statusTable(cpus: StatusAnswer['cpus']): string {
  const head = ['CPU', 'state', 'pid', 'restarts', 'pages', 'sent', 'lost', 'stalls', 'in ring', 'overrun'];
  return table(
    head,
    inOrder(cpus).map(([cpu, entry]) => statusRow(cpu, entry)),
  );
}

function statusRow(cpu: string, entry: CpuStatus): string[] {
  return [
    cpu,
    entry.reason === undefined ? entry.state : `${entry.state}: ${entry.reason}`,
    String(entry.pid ?? '-'),
    String(entry.restarts),
    String(entry.pagesIn),
    humanBytes(entry.bytesOut),
    humanBytes(entry.bytesLost),
    String(entry.stalls),
    String(entry.ring?.entries ?? '-'),
    String(entry.ring?.overrun ?? '-'),
  ];
}

const pingRounds = 10;

async function ping(guest: GuestDir, client: ControlClient, { timeoutMs }: OrderOptions): Promise<Result> {
  const first = await client.ping();
  const rounds: [PingRound, ...PingRound[]] = [first];
  const deadlineMs = performance.now() + timeoutMs;
  while (rounds.length < pingRounds && performance.now() < deadlineMs) rounds.push(await client.ping());
  const best = fastest(rounds);
  const tripNs = roundTripNs(best);
  const clockNames = ['boottime', 'monotonicRaw', 'realtime'] as const satisfies PingClock[];
  const offsets = clockNames.map((clock): [PingClock, bigint] => [clock, offsetNs(best, clock)]);
  const summary = `${guest.label} answers in ${milliseconds(tripNs)}, the best of ${rounds.length} rounds\n`;
  return {
    json: {
      guest: guest.guest ?? null,
      rounds: rounds.length,
      roundTripNs: String(tripNs),
      guestClocks: strings(best.guest),
      offsetNs: Object.fromEntries(offsets.map(([clock, ns]) => [clock, String(ns)])),
    },
    text:
      summary +
      table(
        ['clock', 'guest', `host - guest, ± ${milliseconds(tripNs / 2n)}`],
        offsets.map(([clock, ns]) => [clock, signedSeconds(best.guest[clock]).slice(1), signedSeconds(ns)]),
      ),
    exitCode: exitCode.done,
  };
}

function strings(clocks: Clocks): Record<PingClock, string> {
  const { boottime, monotonicRaw, realtime } = clocks;
  return { boottime: String(boottime), monotonicRaw: String(monotonicRaw), realtime: String(realtime) };
}

function milliseconds(ns: bigint): string {
  return `${(Number(ns) / 1e6).toFixed(3)} ms`;
}

function inOrder<T>(perCpu: PerCpu<T>): [string, T][] {
  return Object.entries(perCpu).sort(([a], [b]) => Number(a) - Number(b));
}
