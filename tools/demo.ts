/**
 * `npm run demo`: boots a QEMU guest with trace-agent, traces its scheduler for five seconds, orders given as any
 * host gives them, and shows what arrived on the host; then once more by `trace-host record`, into a trace.dat.
 */
import {
  accessSync,
  constants as fsConstants,
  cpSync,
  existsSync,
  mkdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCode, Failure } from '../src/base/failure.ts';
import { parseRingStats } from '../src/tracefs/ring-files.ts';
import { accelerator } from '../test/guest/harness/accel.ts';
import { guestImage } from '../test/guest/harness/image.ts';
import { bootGuest, type Collector, type Guest, type GuestProcess } from '../test/guest/harness/index.ts';
import { guestKernel } from '../test/guest/harness/kernel.ts';
import { type Formats, readFormats } from './demo/formats.ts';
import { LiveView } from './demo/live-view.ts';
import { type DemoOptions, parseDemoOptions, usage } from './demo/options.ts';
import { record, reportHead } from './demo/recording.ts';
import { type CpuTrace, report } from './demo/report.ts';
import { endWithFailure } from './end-with-failure.ts';

const traceMs = 5000;
const redrawMs = 200;
const arrivalMs = 10_000;
/** An emulated guest on a busy machine takes its time to start Node. */
const slowMs = 120_000;

/** Partial pages every 250 ms: the demo looks on while a page fills. */
const agentCommand = ['trace-agent', '--flush-interval', '250'];
const tracing = '/sys/kernel/tracing';
/** Starts processes that talk through a pipe: switches, wake-ups, forks, execs and exits, one loop a CPU. */
const load = 'while :; do cat /proc/stat | grep -c cpu >/dev/null; done';

function say(text: string): void {
  process.stdout.write(`${process.uptime().toFixed(1).padStart(6)} s  ${text}\n`);
}

async function boot(cpus: number): Promise<Guest> {
  say("guest kernel: GUEST_KERNEL's, else Debian's (the first time apt downloads 70 MB)");
  const kernel = guestKernel();
  say(`guest image: kernel ${kernel.version}, busybox, Node and the agent (packed again when one is new)`);
  guestImage(kernel);
  const accel = accelerator(kernel);
  const slow = accel === 'kvm' ? '' : ': no KVM here, so the guest is slow';
  say(`booting a guest with ${cpus} CPU${cpus === 1 ? '' : 's'} (QEMU, ${accel}${slow})`);
  return bootGuest({ cpus });
}

async function startAgent(guest: Guest): Promise<GuestProcess> {
  say(`in the guest: ${agentCommand.join(' ')}`);
  const agent = await guest.spawn(agentCommand);
  const [, able, of] = await agent.waitFor(/"cpus":(\d+),"of":(\d+),"msg":"ready"/, slowMs);
  say(`the agent is ready: a worker on ${able} of ${of} CPUs`);
  return agent;
}

/** Gives an order as `echo` does. */
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

/** Every byte that the agent says it sent is waited for. */
async function awaitArrival(agent: GuestProcess, collectors: readonly Collector[]): Promise<void> {
  const [, sent = ''] = await agent.waitFor(/"bytesOut":(\d+).*"msg":"stopped"/, slowMs);
  const arrived = () => collectors.reduce((sum, { bytes }) => sum + bytes, 0);
  const deadlineMs = performance.now() + arrivalMs;
  while (arrived() < Number(sent)) {
    if (performance.now() > deadlineMs) {
      throw new Failure(exitCode.lost, `${sent} bytes were sent, and ${arrived()} have arrived`);
    }
    await sleep(10);
  }
  say(`the agent has stopped: ${Number(sent).toLocaleString('en')} bytes sent, and all have arrived`);
}

async function trace(guest: Guest, agent: GuestProcess, cpus: number): Promise<Collector[]> {
  say(`in the guest: echo 1 > ${tracing}/events/sched/enable, and a small load on each CPU`);
  await guest.check(`echo 1 > ${tracing}/events/sched/enable`);
  const loads: GuestProcess[] = [];
  const collectors: Collector[] = [];
  for (let cpu = 0; cpu < cpus; cpu++) {
    loads.push(await guest.spawn(['taskset', '-c', String(cpu), 'sh', '-c', load]));
    collectors.push(await guest.collect(cpu));
  }
  await order(guest, '1');
  await agent.waitFor(/"msg":"started"/, slowMs);
  await watch(collectors);
  await order(guest, '0');
  await awaitArrival(agent, collectors);
  for (const process of loads) process.kill('SIGKILL', 'group');
  await guest.check(`echo 0 > ${tracing}/events/sched/enable`);
  // A FIFO has one reader at a time, or each gets a part of it.
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

/** The same by `trace-host`, which makes of it what other programs open. */
async function traceByHost(guest: Guest, cpus: number, out: string): Promise<void> {
  say(
    'on the host:  trace-host record -e sched -e irq --duration 3s (it fetches the formats and symbols first)',
  );
  const loads: GuestProcess[] = [];
  for (let cpu = 0; cpu < cpus; cpu++) {
    loads.push(await guest.spawn(['taskset', '-c', String(cpu), 'sh', '-c', load]));
  }
  await record(dirname(guest.control.port.path), out);
  for (const process of loads) process.kill('SIGKILL', 'group');
  const { command, text } = reportHead(out);
  say(`on the host:  ${command}`);
  process.stdout.write(`\n${text}\n`);
}

async function endAgent(agent: GuestProcess): Promise<void> {
  agent.kill('SIGTERM');
  const { code } = await agent.wait(slowMs);
  if (code !== 0) throw new Failure(exitCode.failed, `the agent ended with ${code}\n${agent.stderr}`);
}

function keepAll(dir: string, collectors: readonly Collector[], { texts }: Formats): void {
  for (const [cpu, { file }] of collectors.entries()) cpSync(file, join(dir, `cpu${cpu}.raw`));
  for (const [path, text] of texts) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
}

/** Before the guest is booted: five seconds of trace are not to be lost to a slip. */
function makeDir(dir: string): void {
  try {
    if (!existsSync(dir)) mkdirSync(dir);
    accessSync(dir, fsConstants.W_OK);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Failure(exitCode.usage, `--keep: ${why}`, 'name a directory that can be made or written', {
      cause,
    });
  }
}

async function demo({ cpus, keep }: DemoOptions): Promise<number> {
  if (keep !== undefined) makeDir(keep);
  await using guest = await boot(cpus);
  say('the guest is up');
  const agent = await startAgent(guest);
  const collectors = await trace(guest, agent, cpus);
  const formats = await readFormats(guest);
  const { text, whole } = report(await tracesOf(guest, collectors), formats);
  process.stdout.write(`\n${text}\n`);
  const out = join(keep ?? guest.dir, 'trace.dat');
  rmSync(out, { force: true });
  await traceByHost(guest, cpus, out);
  await endAgent(agent);
  if (keep !== undefined) {
    keepAll(keep, collectors, formats);
    say(
      `kept in ${keep}: trace.dat; cpuN.raw, the pages of the first trace; events/, the formats to decode them`,
    );
  }
  say('ending the guest');
  return whole ? exitCode.done : exitCode.failed;
}

// At exit the harness removes the guest's directory, and the kernel ends QEMU with its parent.
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
