/**
 * A worker: the child process that moves one CPU's pages. It opens no path and needs no privilege: the supervisor
 * gives it every descriptor, and takes them back by the mere fact of its death.
 */
import { affinityOf, pinProcess } from '../native/affinity.ts';
import { errno, NativeError } from '../native/error.ts';
import { exitNow } from '../native/process.ts';
import { inherited, type ToSupervisor, type ToWorker, type WorkerSetup } from '../protocol/ipc.ts';
import { Ledger } from '../protocol/ledger.ts';
import { Pump } from './pump.ts';
import { inheritedIo } from './pump-io.ts';
import { Waiter } from './waiter.ts';

const beatMs = 1000;

const waiter = new Waiter();

function say(message: ToSupervisor): void {
  waiter.askForLoop();
  // Without a supervisor nobody listens any more; the channel's close has set `leave` already.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

/** @returns whether this process is now tied to the CPU; an offline CPU takes nobody, and the ring is read from elsewhere */
function pin(cpu: number): boolean {
  try {
    pinProcess(cpu);
    return true;
  } catch (error) {
    if (error instanceof NativeError && error.errno === errno.EINVAL) return false;
    throw error;
  }
}

/** When its CPU goes offline the kernel moves a task and widens its affinity, and does not narrow it on return. */
function keepPinned(cpu: number): void {
  const [first, second] = affinityOf(0);
  if (first !== cpu || second !== undefined) pin(cpu);
}

function dropPrivileges(identity: WorkerSetup['identity']): void {
  if (identity === undefined) return;
  process.setgroups?.([]);
  process.setgid?.(identity.gid);
  process.setuid?.(identity.uid);
}

async function main(): Promise<void> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own supervisor wrote it
  const setup = JSON.parse(process.argv.at(-1) ?? '') as WorkerSetup;
  // A terminal's Ctrl-C and a service manager's SIGTERM reach the whole group; the order to end is the supervisor's.
  // SIGABRT is its watchdog's word to a supervisor that hangs; we outlive that one and send what we hold.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGABRT'] as const)
    process.on(signal, () => undefined);

  const ledger = new Ledger(inherited.ledger, setup.pageBytes);
  const pump = new Pump(inheritedIo(setup, ledger), ledger, waiter, setup, {
    stopped: (id, flushed, heldBytes) => say({ kind: 'stopped', id, flushed, heldBytes }),
    gone: (what, code) => say({ kind: 'gone', what, code }),
    lost: (bytes) => say({ kind: 'lost', bytes }),
    host: (connected) => say({ kind: 'host', connected }),
  });
  process.on('disconnect', () => pump.leave());
  // It may have closed while this script was being loaded, when nobody listened yet.
  if (!process.connected) pump.leave();
  process.on('message', (message: ToWorker) => {
    switch (message.kind) {
      case 'start':
        return pump.start();
      case 'stop':
        return pump.stop(message.id, message.maxPages);
      case 'leave':
        return pump.leave();
      default:
        return message satisfies never;
    }
  });

  const pinned = pin(setup.cpu);
  dropPrivileges(setup.identity);
  setInterval(() => {
    ledger.beat += 1;
    keepPinned(setup.cpu);
  }, beatMs);
  ledger.beat += 1;
  say({ kind: 'ready', pinned });
  await pump.run();
}

main().then(
  // What was said last is on its way once this turn of the event loop is over.
  () => setImmediate(() => exitNow(0)),
  (error: unknown) => {
    process.stderr.write(
      `trace-agent worker: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    exitNow(1);
  },
);
