/**
 * `npm run demo`: boots a QEMU guest with trace-agent and traces its scheduler for five seconds, controlled by `echo`
 * as from any shell; shows what arrived on the host; then records the guest together with this host, prints, summarises
 * and exports the recording, shows a wakeup that crosses from the host into the guest, and explains why a task of the
 * guest had to wait.
 */
import {
  accessSync,
  constants as fsConstants,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { exitCode, Failure } from '../src/base/failure.ts';
import { parseRingStats } from '../src/tracefs/ring-files.ts';
import { accelerator } from '../test/guest/harness/accel.ts';
import { guestImage } from '../test/guest/harness/image.ts';
import { bootGuest, type Collector, type Guest, type GuestProcess } from '../test/guest/harness/index.ts';
import { guestKernel } from '../test/guest/harness/kernel.ts';
import { Disturbance } from './demo/disturbance.ts';
import { type Formats, readFormats } from './demo/formats.ts';
import { LiveView } from './demo/live-view.ts';
import { type DemoOptions, parseDemoOptions, usage } from './demo/options.ts';
import { type ClockBound, DemoRecording, type Shown, whyNoHost } from './demo/recording.ts';
import { type CpuTrace, report } from './demo/report.ts';
import { endWithFailure } from './end-with-failure.ts';

const traceMs = 5000;
const redrawMs = 200;
const arrivalMs = 10_000;
/** An emulated guest on a busy machine starts Node slowly. */
const slowMs = 120_000;

/** Sends partly filled pages every 250 ms, so that the live view moves. */
const agentCommand = ['trace-agent', '--flush-interval', '250'];
const tracing = '/sys/kernel/tracing';
/** Causes context switches, wake-ups, forks, execs and exits: processes connected by a pipe, one loop per CPU. */
const load = 'while :; do cat /proc/stat | grep -c cpu >/dev/null; done';
/** The same with pauses, in which the guest's CPUs have nothing to do and their threads sleep on the host. */
const pausingLoad = 'while :; do cat /proc/stat | grep -c cpu >/dev/null; sleep 0.02; done';
/** The directory of the guest's ports, whose name is that of the guest. */
const guestName = 'guest';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Where the trace.dat is kept without --keep; relative, because users see it. */
const defaultOut = relative(process.cwd(), join(root, 'dist/demo-trace.dat'));

/** Announces a step, or reports one that takes no time. */
function say(text: string): void {
  process.stdout.write(`            ${text}\n`);
}

let phaseBeganMs = performance.now();

/** Reports the end of a phase, with the time since the end of the phase before. */
function done(text: string): void {
  const nowMs = performance.now();
  process.stdout.write(`[${((nowMs - phaseBeganMs) / 1000).toFixed(1).padStart(6)} s]  ${text}\n`);
  phaseBeganMs = nowMs;
}

async function boot(cpus: number, portsDir: string): Promise<Guest> {
  say('finding a guest kernel: GUEST_KERNEL, or the one of Debian (apt downloads 70 MB the first time)');
  const kernel = guestKernel();
  done(`guest kernel ready: ${kernel.version}`);
  guestImage(kernel);
  done('guest image ready: kernel, busybox, Node and the agent');
  const accel = accelerator(kernel);
  const cpuCount = `${cpus} CPU${cpus === 1 ? '' : 's'}`;
  if (accel !== 'kvm') say('KVM is not available: the guest is emulated and slow');
  // through the monitor trace-host learns which thread runs which CPU
  const guest = await bootGuest({ cpus, portsDir, monitor: true });
  done(`guest booted: QEMU with ${accel}, ${cpuCount}`);
  return guest;
}

async function startAgent(guest: Guest): Promise<GuestProcess> {
  say(`in the guest: ${agentCommand.join(' ')}`);
  const agent = await guest.spawn(agentCommand);
  const [, able, of] = await agent.waitFor(/"cpus":(\d+),"of":(\d+),"msg":"ready"/, slowMs);
  done(`agent ready: a worker on ${able} of ${of} CPUs`);
  return agent;
}

/** Sends an order as `echo` does. */
async function order(guest: Guest, digit: '1' | '0'): Promise<void> {
  say(`on the host:  echo ${digit} > ${guest.control.port.path}.in`);
  await guest.control.order(digit);
}

async function watch(collectors: readonly Collector[]): Promise<void> {
  const view = new LiveView(process.stdout, collectors.length);
  const beganMs = performance.now();
  for (let elapsedMs = 0; elapsedMs < traceMs; ) {
    await sleep(Math.min(redrawMs, traceMs - elapsedMs));
    elapsedMs = performance.now() - beganMs;
    view.show(
      elapsedMs,
      collectors.map(({ bytes }) => bytes),
    );
  }
}

/** Waits for every byte that the agent reports as sent. */
async function awaitArrival(agent: GuestProcess, collectors: readonly Collector[]): Promise<void> {
  const [, sent = ''] = await agent.waitFor(/"bytesOut":(\d+).*"msg":"stopped"/, slowMs);
  const arrived = () => collectors.reduce((sum, { bytes }) => sum + bytes, 0);
  const deadlineMs = performance.now() + arrivalMs;
  while (arrived() < Number(sent)) {
    if (performance.now() > deadlineMs) {
      throw new Failure(exitCode.lost, `the agent sent ${sent} bytes, but only ${arrived()} arrived`);
    }
    await sleep(10);
  }
  done(`trace stopped: the agent sent ${Number(sent).toLocaleString('en')} bytes, and all of them arrived`);
}

async function trace(guest: Guest, agent: GuestProcess, cpus: number): Promise<Collector[]> {
  say(`in the guest: echo 1 > ${tracing}/events/sched/enable  (and a small load on each CPU)`);
  await guest.check(`echo 1 > ${tracing}/events/sched/enable`);
  const loads: GuestProcess[] = [];
  const collectors: Collector[] = [];
  for (let cpu = 0; cpu < cpus; cpu++) {
    loads.push(await guest.spawn(['taskset', '-c', String(cpu), 'sh', '-c', load]));
    collectors.push(await guest.collect(cpu));
  }
  await order(guest, '1');
  await agent.waitFor(/"msg":"started"/, slowMs);
  done('trace started');
  await watch(collectors);
  await order(guest, '0');
  await awaitArrival(agent, collectors);
  for (const process of loads) process.kill('SIGKILL', 'group');
  await guest.check(`echo 0 > ${tracing}/events/sched/enable`);
  // trace-host reads the same FIFOs next: with two readers, each would get a part of the data.
  for (const collector of collectors) await collector.close();
  return collectors;
}

async function tracesOf(guest: Guest, collectors: readonly Collector[]): Promise<CpuTrace[]> {
  const traces: CpuTrace[] = [];
  for (const [cpu, collector] of collectors.entries()) {
    const stats = await guest.readFile(`${tracing}/per_cpu/cpu${cpu}/stats`);
    traces.push({ cpu, bytes: collector.read(), ring: parseRingStats(stats.toString()) });
  }
  return traces;
}

function show({ command, text }: Shown): void {
  say(`on the host:  ${command}`);
  process.stdout.write(`\n${text}\n`);
}

async function showCrossing(recording: DemoRecording, bound: ClockBound | undefined): Promise<void> {
  if (!recording.withHost) return;
  if (bound?.isFine !== true) {
    say(
      `the guest's times are good to ${bound?.text ?? 'an unknown error'} only, which is too much to show what the host did before the guest: this host is very busy`,
    );
    return;
  }
  const crossing = await recording.crossing(bound);
  if (crossing !== undefined) show(crossing);
  else say('no wakeup of the guest begins on the host within a few events');
}

/** Records host and guest with `trace-host`, which writes a trace.dat of each, and shows what is in them. */
async function traceByHost(guest: Guest, cpus: number, recording: DemoRecording): Promise<void> {
  say(`on the host:  trace-host record ${recording.words.join(' ')}`);
  const loads: GuestProcess[] = [];
  for (let cpu = 0; cpu < cpus; cpu++) {
    loads.push(await guest.spawn(['taskset', '-c', String(cpu), 'sh', '-c', pausingLoad]));
  }
  const disturbance = recording.withHost ? await disturb(guest) : undefined;
  const bound = await recording.record();
  await disturbance?.end();
  for (const process of loads) process.kill('SIGKILL', 'group');
  done('recording finished');
  for (const shown of recording.shown()) show(shown);
  await showCrossing(recording, bound);
  if (disturbance !== undefined) show(recording.whyWaited(disturbance.victim));
  done('recording printed, summarised, exported and explained');
}

/** Begins to take time from the guest; undefined if that is not permitted. */
async function disturb(guest: Guest): Promise<Disturbance | undefined> {
  try {
    const disturbance = await Disturbance.begin(guest);
    say(`on the host:  ${disturbance.words}`);
    return disturbance;
  } catch (error) {
    say(`nothing disturbs the guest: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

async function endAgent(agent: GuestProcess): Promise<void> {
  agent.kill('SIGTERM');
  const { code } = await agent.wait(slowMs);
  if (code !== 0) throw new Failure(exitCode.failed, `the agent exited with code ${code}\n${agent.stderr}`);
}

function keepAll(dir: string, collectors: readonly Collector[], { texts }: Formats): void {
  for (const [cpu, { file }] of collectors.entries()) cpSync(file, join(dir, `cpu${cpu}.raw`));
  for (const [path, text] of texts) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
}

/** Called before the guest boots, so that a wrong path does not cost a trace. Throws Failure (usage). */
function makeDir(dir: string): void {
  try {
    if (!existsSync(dir)) mkdirSync(dir);
    accessSync(dir, fsConstants.W_OK);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Failure(exitCode.usage, `--keep: ${why}`, 'choose a directory that can be created or written', {
      cause,
    });
  }
}

/** KernelShark is not installed by the demo. */
function sayWhatNext({ files, guestFile, perfettoFile }: DemoRecording, keep: string | undefined): void {
  const [first = guestFile, ...others] = files;
  const next: [command: string, why: string][] = [
    [`node dist/bin/trace-host.js report ${guestFile} | less`, 'all events as text, as trace-cmd report'],
    [`node dist/bin/trace-host.js summary ${first}`, 'run times, wakeup latencies, interrupts'],
    [`node dist/bin/trace-host.js info ${first}`, 'what the recording contains'],
    [`node dist/bin/trace-host.js explain ${first}`, "who made the guest's tasks wait"],
    [
      ['kernelshark', '-i', first, ...others.flatMap((file) => ['-a', file])].join(' '),
      'all events as a graph',
    ],
    ['npm run guest', 'a shell in a fresh guest with the agent'],
    ['npm test', 'the tests'],
  ];
  if (keep === undefined)
    next.push(['npm run demo -- --cpus 4 --keep DIR', 'four CPUs; keeps the raw pages too']);
  const width = Math.max(...next.map(([command]) => command.length));
  const lines = next.map(([command, why]) => `  ${command.padEnd(width)}  # ${why}`);
  const perfetto = `Open ${perfettoFile} in https://ui.perfetto.dev to see it as a timeline.`;
  const links = 'docs/install.md (your own guest), docs/recording.md, docs/troubleshooting.md';
  process.stdout.write(`\nTry next:\n\n${lines.join('\n')}\n\n${perfetto}\n\nRead next: ${links}\n`);
}

async function demo({ cpus, keep }: DemoOptions): Promise<number> {
  if (keep !== undefined) makeDir(keep);
  const noHost = whyNoHost();
  if (noHost !== undefined) say(`this host cannot be traced, so only the guest is: ${noHost}`);
  const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-demo-'));
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
  const out = keep === undefined ? defaultOut : join(keep, 'trace.dat');
  const recording = new DemoRecording({ dir, name: guestName }, out, noHost === undefined);
  const whole = await traceTwice(cpus, keep, join(dir, guestName), recording);
  done(`guest ended; the demo took ${process.uptime().toFixed(0)} s`);
  sayWhatNext(recording, keep);
  return whole ? exitCode.done : exitCode.failed;
}

/** Runs the guest and both traces. Resolves to whether every event arrived in the first. */
async function traceTwice(
  cpus: number,
  keep: string | undefined,
  portsDir: string,
  recording: DemoRecording,
): Promise<boolean> {
  await using guest = await boot(cpus, portsDir);
  const agent = await startAgent(guest);
  const collectors = await trace(guest, agent, cpus);
  const formats = await readFormats(guest);
  const { text, whole } = report(await tracesOf(guest, collectors), formats);
  done('raw pages decoded on the host');
  process.stdout.write(`\n${text}\n`);
  for (const file of [...recording.files, recording.perfettoFile]) rmSync(file, { force: true });
  await traceByHost(guest, cpus, recording);
  await endAgent(agent);
  if (keep !== undefined) {
    keepAll(keep, collectors, formats);
    say(
      `kept in ${keep}: trace.dat, trace-${guestName}.dat, trace.pftrace; cpuN.raw (pages of the first trace); events/ (formats to decode them)`,
    );
  }
  return whole;
}

// at exit the harness removes the guest's directory, and the kernel kills QEMU when its parent dies
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => process.exit(128 + constants.signals[signal]));
}
process.stdout.once('error', () => process.exit(exitCode.failed));

try {
  const options = parseDemoOptions(process.argv.slice(2));
  if (options === 'help') process.stdout.write(usage);
  else process.exitCode = await demo(options);
} catch (error) {
  endWithFailure('demo', error);
}
