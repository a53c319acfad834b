import type { Logger } from 'pino';
import { onEndSignals } from '../base/end-signals.ts';
import { version } from '../base/version.ts';
import { type ExitCode, exitCode } from '../base/failure.ts';
import {
  closeStrayOnExec,
  exitNow,
  keepCapabilitiesFromChildren,
  setNoNewPrivileges,
} from '../native/process/process.ts';
import type { Answer } from '../protocol/control.ts';
import { ensureInstance, removeInstance } from '../tracefs/instance.ts';
import { locateTracefs } from '../tracefs/locate.ts';
import { Tracefs } from '../tracefs/tracefs.ts';
import { ControlPort } from './orders/control-port.ts';
import { cpusToTrace, onlineCpus } from './cpus.ts';
import { FramedStream } from './orders/framed-stream.ts';
import { makeLog } from './log.ts';
import { scoreBelowWorkers } from './workers/oom-score.ts';
import type { AgentOptions } from './options.ts';
import { Orders } from './orders/orders.ts';
import { type OutletSource, portOutlets, stdoutOutlets } from './ports/outlets.ts';
import { openPort } from './ports/ports.ts';
import {
  checkFramed,
  hostRules,
  openControlPort,
  requireAnyPort,
  warnOfMixedPages,
  warnOfOldKernel,
  workerIdentity,
} from './preflight.ts';
import { ServiceManager } from './service-manager.ts';
import { leaveGraceMs, Supervisor } from './workers/supervisor.ts';
import { Tracing } from './orders/tracing.ts';

/** The reason why the agent ends. If there are several, the first one counts. */
type End =
  | { readonly kind: 'signal'; readonly signal: string }
  | { readonly kind: 'all-failed' }
  | { readonly kind: 'outlet-gone'; readonly code: string };

/**
 * The program that started this agent to trace the machine that both run on. It has the other end of the socket, and
 * the files or other ends of the pipes, that the agent uses instead of ports.
 */
export interface AgentParent {
  /** Opens the control port: a connected stream socket, non-blocking. Throws PortAway when it is closed. */
  readonly openControl: () => number;
  readonly outlets: OutletSource;
  /** Called once, when the agent begins to carry out orders. */
  readonly ready: () => void;
  /** Called when a CPU's outlet accepts no more pages; the parent decides when the agent ends. */
  readonly outletFailed: (cpu: number, code: string) => void;
  /** Aborted when the parent has ended; then the agent ends too. */
  readonly gone: AbortSignal;
}

/**
 * Runs the agent until a signal ends it or nothing is left to do.
 * @param parent the program that started the agent; undefined if the agent uses ports
 * @throws Failure for an error that the user can fix; everything is closed and restored before
 */
export async function runAgent(options: AgentOptions, parent?: AgentParent): Promise<ExitCode> {
  checkFramed(options);
  const root = locateTracefs(options.tracefs);
  const cpus = cpusToTrace(options.cpus, new Tracefs(root));
  const outlets = parent?.outlets ?? outletsOf(options);
  if (parent === undefined && !options.stdout) requireAnyPort(options, cpus);
  const withHost = parent !== undefined || (!options.framed && hostRules(options));
  const log = await makeLog(options.logLevel, options.logFormat);
  warnOfOldKernel(log);
  if (options.stdout && !options.framed) warnOfMixedPages(cpus, log);
  const instance = options.instance === undefined ? undefined : ensureInstance(root, options.instance);
  try {
    return await trace(options, cpus, outlets, new Tracefs(root, instance?.name), withHost, parent, log);
  } finally {
    if (instance?.made) await removeInstance(root, instance.name);
  }
}

function outletsOf(options: AgentOptions): OutletSource {
  return options.stdout ? stdoutOutlets(options.framed) : portOutlets(options.portsDir, options.portName);
}

async function trace(
  options: AgentOptions,
  cpus: readonly number[],
  outlets: OutletSource,
  own: Tracefs,
  withHost: boolean,
  parent: AgentParent | undefined,
  log: Logger,
): Promise<ExitCode> {
  let end: (why: End) => void = () => undefined;
  let fail: (bug: unknown) => void = () => undefined;
  const ending = new Promise<End>((resolve, reject) => {
    end = resolve;
    fail = reject;
  });
  const supervisor = new Supervisor(
    cpus,
    onlineCpus(),
    own,
    {
      outlets,
      pipeBytes: options.pipeBytes,
      flushIntervalMs: options.flushIntervalMs,
      stopTimeoutMs: options.stopTimeoutMs,
      maxRestarts: options.maxRestarts,
      identity: workerIdentity(options.user, log),
      workerOomScore: scoreBelowWorkers(),
      standby: options.standby,
      log,
    },
    {
      allFailed: () => end({ kind: 'all-failed' }),
      outletGone: (cpu, code) =>
        parent === undefined ? end({ kind: 'outlet-gone', code }) : parent.outletFailed(cpu, code),
    },
  );
  // not on a host: there, the traces of other users would lose the task names saved so far
  const tracing = new Tracing(supervisor, own, parent === undefined, log);
  const send = (answer: Answer, payload?: Uint8Array): void => {
    const line = Buffer.from(`${JSON.stringify(answer)}\n`);
    control?.send(...(payload === undefined ? [line] : [line, payload]));
  };
  const orders = new Orders(supervisor, tracing, options.allow, version, send, log);
  const control = withHost
    ? new ControlPort(
        parent?.openControl ?? (() => openPort(options.portsDir, options.controlPort, 'both')),
        (line) => orders.take(line),
        log,
      )
    : undefined;
  const parentGone = (): void => end({ kind: 'signal', signal: 'its parent has ended' });
  parent?.gone.addEventListener('abort', parentGone);
  if (parent?.gone.aborted === true) parentGone();
  const stopListening = listen(end, () => log.info(orders.status(), 'status'), tracing, log);
  const manager = new ServiceManager();
  let framed: FramedStream | undefined;
  try {
    if (control !== undefined) await openControlPort(control, ending, log);
    setNoNewPrivileges();
    keepCapabilitiesFromChildren();
    closeStrayOnExec();
    // Starting may take long on a busy machine; a signal ends it early.
    await Promise.race([supervisor.open(own), ending]);
    const able = supervisor.cpus.filter((cpu) => cpu.state === 'ready').length;
    log.info({ cpus: able, of: cpus.length }, 'ready');
    manager.ready(() => describe(supervisor));
    const serving = control?.run().catch(fail);
    parent?.ready();
    if (outlets.frameSync !== undefined) {
      framed = new FramedStream(outlets, outlets.frameSync, supervisor, own, options.stopTimeoutMs, log);
      const beginning = writeBeginning(framed, end);
      beginning.catch(fail);
      await Promise.race([beginning, ending]);
    }
    if (framed?.begun !== false && (options.start || !withHost)) orders.begin();
    const why = await ending;
    log.info(why, 'ending');
    manager.stopping(2 * (options.stopTimeoutMs + leaveGraceMs));
    await orders.close();
    const whole = await finish(supervisor, tracing, why.kind === 'outlet-gone' ? undefined : framed, log);
    control?.close();
    await serving;
    return whole && why.kind === 'signal' ? exitCode.done : exitCode.lost;
  } finally {
    framed?.close();
    manager.close();
    stopListening();
    tracing.abandon();
    supervisor.dispose();
  }
}

async function writeBeginning(framed: FramedStream, end: (why: End) => void): Promise<void> {
  const gone = await framed.begin();
  if (gone !== undefined) end({ kind: 'outlet-gone', code: gone });
}

/** One line for `systemctl status`. */
function describe({ state, cpus }: Supervisor): string {
  const able = cpus.filter((cpu) => cpu.state === (state === 'running' ? 'running' : 'ready')).length;
  const what = {
    starting: 'Starts',
    running: 'Traces',
    stopping: 'Stops',
    stopped: 'Waiting for the order to start',
  };
  return `${what[state]}: ${able} of ${cpus.length} CPUs`;
}

/**
 * Flushes, restores settings, and lets the workers exit.
 * @returns whether every CPU was served to the end, and everything taken from the rings was delivered
 */
async function finish(
  supervisor: Supervisor,
  tracing: Tracing,
  framed: FramedStream | undefined,
  log: Logger,
): Promise<boolean> {
  const report = await tracing.stop();
  let whole = supervisor.cpus.every((cpu) => cpu.state !== 'failed');
  await Promise.all([supervisor.close(), supervisor.dismissStandby()]);
  for (const cpu of supervisor.cpus) {
    const { bytesLost } = cpu.account;
    const { heldBytes } = cpu;
    if (heldBytes > 0 || bytesLost > 0) {
      log.error({ cpu: cpu.number, heldBytes, bytesLost }, 'pages that the host did not get');
    }
    if (heldBytes > 0 || bytesLost > 0 || report.cpus.get(cpu.number)?.outcome === 'timed-out') whole = false;
  }
  if (framed !== undefined && !(await framed.end(report))) whole = false;
  return whole;
}

/**
 * SIGTERM and SIGINT end the agent; a second signal ends it at once. SIGHUP is ignored. SIGUSR1 logs the status;
 * handling it also keeps Node from starting its debugger.
 * @returns a function that stops listening
 */
function listen(end: (why: End) => void, sayStatus: () => void, tracing: Tracing, log: Logger): () => void {
  process.on('SIGUSR1', sayStatus);
  const endListening = onEndSignals(
    (signal) => end({ kind: 'signal', signal }),
    (signal) => {
      log.warn({ signal }, 'second signal: ending at once');
      tracing.abandon();
      exitNow(exitCode.failed);
    },
  );
  return () => {
    endListening();
    process.off('SIGUSR1', sayStatus);
  };
}
