import { closeSync, existsSync, lstatSync } from 'node:fs';
import { exitCode, Failure } from '../../base/failure.ts';
import { Chain, type Link, Undetermined } from '../../base/diagnosis.ts';
import { printable } from '../../base/quoted.ts';
import type { StatusAnswer } from '../../protocol/control.ts';
import { version } from '../../base/version.ts';
import { ControlClient } from '../control/client.ts';
import { fastest, offsetNs, roundTripNs } from '../control/ping.ts';
import { GuestDir } from '../guest-dir/guest-dir.ts';
import type { GuestLocation } from '../guest-dir/location.ts';
import { lockFileName } from '../guest-dir/lock.ts';
import { controlPortName, portOfFile, tracePortName } from '../port-names.ts';
import { cutOff, standstill } from '../qemu/guest-trouble.ts';
import { type Holder, holdersBelow, isQemu } from '../qemu/holders.ts';
import { runStateOf } from '../qemu/run-state.ts';
import { roomIn } from './room.ts';
import { tmpfilesLink } from './tmpfiles.ts';

export interface ExamineOptions {
  readonly location: GuestLocation;
  /** Maximum time to wait for the guest's agent. */
  readonly timeoutMs: number;
  /** The directory for recordings. */
  readonly outDir: string;
}

/**
 * Checks every link from this host to a guest's agent and to the output file. Changes nothing. While another trace-host
 * uses the control port, the agent is not asked, so that a recording is not disturbed.
 */
export async function examineGuest({
  location,
  timeoutMs,
  outDir,
}: ExamineOptions): Promise<readonly Link[]> {
  const chain = new Chain();
  let guest: GuestDir | undefined;
  await chain.look('directory', [], () => {
    guest = GuestDir.open(location);
    return `${printable(guest.path)}, chardev ${guest.chardev}`;
  });
  try {
    await examineHostEnds(chain, () => the(guest), timeoutMs);
    await chain.look('disk', [], () => `${mebibytes(roomIn(outDir))} free in ${printable(outDir)}`);
    await chain.look('tmpfiles', ['directory'], () => tmpfilesLink(the(guest)));
  } finally {
    guest?.close();
  }
  return chain.links;
}

function the<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a link was checked without the one that it depends on');
  return value;
}

async function examineHostEnds(chain: Chain, guest: () => GuestDir, timeoutMs: number): Promise<void> {
  let holders: readonly Holder[] = [];
  let giver: Holder | undefined;
  await chain.look('ports', ['directory'], () => portsLink(guest()));
  await chain.look('qemu', ['ports'], () => {
    holders = holdersBelow(guest().path).filter(({ pid }) => pid !== process.pid);
    return qemuLink(guest(), holders);
  });
  await chain.look('guest', ['qemu'], () => guestLink(guest(), holders));
  await chain.look('orders', ['qemu'], () => {
    giver = holders.find(({ files }) => files.some(({ name }) => name === lockFileName));
    return giver === undefined
      ? 'no other trace-host uses the control port'
      : `${nameOf(giver)} uses the control port`;
  });
  await chain.look('readers', ['qemu'], () => readersLink(holders));
  await examineAgent(chain, guest, () => giver, timeoutMs);
}

async function examineAgent(
  chain: Chain,
  guest: () => GuestDir,
  giver: () => Holder | undefined,
  timeoutMs: number,
): Promise<void> {
  let client: ControlClient | undefined;
  let status: StatusAnswer | undefined;
  const asked = (): StatusAnswer => {
    if (status === undefined) throw new Undetermined('the agent was not asked');
    return status;
  };
  try {
    await chain.look('agent', ['guest', 'readers'], async () => {
      const other = giver();
      if (other !== undefined) throw new Undetermined(`not asked: ${nameOf(other)} uses the control port`);
      client = await ControlClient.open(guest(), { timeoutMs });
      status = await client.status();
      return `answers: ${status.state}, up ${Math.round(status.uptimeMs / 1000)} s`;
    });
    await chain.look('version', ['agent'], () => versionLink(asked()));
    await chain.look('cpus', ['agent'], () => cpusLink(guest(), asked()));
    await chain.look('rings', ['agent'], () => ringsLink(asked()));
    await chain.look('clocks', ['agent'], () => {
      asked();
      return clocksLink(the(client));
    });
  } finally {
    client?.close();
  }
}

function portsLink(guest: GuestDir): string {
  const lost = cutOff(guest);
  if (lost !== undefined) throw lost;
  const names = [controlPortName, ...guest.cpus.map(tracePortName)];
  const suffixes = guest.chardev === 'pipe' ? ['in', 'out'] : ['socket'];
  // QEMU creates the sockets
  if (guest.chardev === 'socket') return `${names.length} by socket`;
  for (const file of names.flatMap((name) => suffixes.map((suffix) => `${name}.${suffix}`))) {
    const found = lstatSync(`${guest.path}/${file}`, { throwIfNoEntry: false });
    if (found?.isFIFO() === true) continue;
    const what = `${printable(guest.path)}/${file} is ${found === undefined ? 'missing' : 'not a FIFO'}`;
    throw new Failure(exitCode.missing, what, `run trace-host setup${guest.options}`);
  }
  if (guest.cpus.length === 0)
    throw new Failure(
      exitCode.missing,
      `${guest.label} has no trace port`,
      `run trace-host setup${guest.options}`,
    );
  return `${names.length} pairs of FIFOs`;
}

function qemuLink(guest: GuestDir, holders: readonly Holder[]): string {
  const qemu = holders.find(isQemu);
  if (qemu !== undefined) return `pid ${qemu.pid} has the ports open`;
  if (guest.chardev === 'pipe') closeSync(guest.openFifo(controlPortName, 'in'));
  else if (!existsSync(guest.socketPath(controlPortName))) throw guest.nobody(`${controlPortName}.socket`);
  throw new Undetermined("cannot tell which QEMU has the ports open: run as root, or as QEMU's user");
}

async function guestLink(guest: GuestDir, holders: readonly Holder[]): Promise<string> {
  const qemu = holders.find(isQemu);
  if (qemu === undefined) throw new Undetermined('no QEMU to ask');
  const state = await runStateOf(qemu);
  const still = standstill(guest, qemu.pid, state);
  if (still !== undefined) throw still;
  if (state.kind === 'known') return `QEMU says ${state.state}`;
  throw new Undetermined(
    state.kind === 'unknown' ? `cannot query QEMU: ${state.why}` : 'QEMU cannot be asked',
  );
}

/**
 * Checks that no other program reads from the ports. It would take pages and answers away from trace-host: each byte of
 * a FIFO goes to only one of its readers.
 */
function readersLink(holders: readonly Holder[]): string {
  const isOurs = (holder: Holder): boolean => holder.files.some(({ name }) => name === lockFileName);
  const strangers = holders.filter((holder) => !isQemu(holder) && !isOurs(holder));
  for (const stranger of strangers) {
    const held = stranger.files.find(({ name }) => portOfFile(name) !== undefined);
    // if no holder is a QEMU, the stranger may be a program that is used instead of QEMU and has all ports open
    if (held === undefined || !holders.some(isQemu)) continue;
    throw new Failure(
      exitCode.failed,
      `${nameOf(stranger)} has ${printable(held.name)} open and reads from it: that data is lost to trace-host`,
      `end it before using trace-host: kill ${stranger.pid}`,
    );
  }
  return 'no other program has the ports open';
}

function versionLink({ version: theirs }: StatusAnswer): string {
  if (theirs === version) return theirs;
  throw new Failure(
    exitCode.failed,
    `version mismatch: trace-agent ${printable(theirs)}, trace-host ${version}`,
    'install the same version on both sides',
  );
}

function cpusLink(guest: GuestDir, { cpus }: StatusAnswer): string {
  for (const [cpu, { state, reason }] of Object.entries(cpus)) {
    if (state === 'failed')
      throw new Failure(
        exitCode.lost,
        `CPU ${cpu} is no longer traced: its worker kept crashing`,
        "see the agent's log for the reason, and start the agent again",
      );
    if (!guest.cpus.includes(Number(cpu)))
      throw new Failure(
        exitCode.missing,
        `CPU ${cpu} of the guest has no port`,
        `run trace-host setup${guest.options} --cpus N, and give QEMU the new ports`,
      );
    if (state === 'waiting')
      throw new Failure(
        exitCode.missing,
        `CPU ${cpu} is waiting: ${printable(reason ?? 'no reason given')}`,
        'run trace-agent doctor in the guest',
      );
  }
  return `${Object.keys(cpus).length}, each with a worker`;
}

function ringsLink({ cpus }: StatusAnswer): string {
  const rings = Object.values(cpus).flatMap(({ ring }) => ring ?? []);
  if (rings.length === 0)
    throw new Failure(
      exitCode.failed,
      "the agent cannot read the statistics of any of the guest's ring buffers",
      'run trace-agent doctor in the guest',
    );
  const sum = (numbers: readonly number[]): number => numbers.reduce((all, number) => all + number, 0);
  const entries = sum(rings.map((ring) => ring.entries));
  const overrun = sum(rings.map((ring) => ring.overrun));
  return `${entries} events unread, ${overrun} overwritten`;
}

const pingRounds = 3;

async function clocksLink(client: ControlClient): Promise<string> {
  const rounds = [];
  const first = await client.ping();
  while (rounds.length < pingRounds - 1) rounds.push(await client.ping());
  const best = fastest([first, ...rounds]);
  const ms = (ns: bigint): string => (Number(ns) / 1e6).toFixed(3);
  return `answered in ${ms(roundTripNs(best))} ms; the host's wall clock is ${ms(offsetNs(best, 'realtime'))} ms ahead`;
}

function nameOf({ pid, argv }: Holder): string {
  const words = argv.slice(0, 2).map((word) => word.slice(word.lastIndexOf('/') + 1));
  return `${printable(words.join(' ')) || 'a process'} (pid ${pid})`;
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / 2 ** 20)} MiB`;
}
