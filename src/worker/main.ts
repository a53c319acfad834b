/**
 * A worker: the child process that moves one CPU's pages. It opens no path and needs no privilege: the supervisor
 * lends it every descriptor, and has them back by the mere fact of its death. Until it is told which CPU is its, it
 * waits, with all that takes time done.
 */
import { affinityOf, pinProcess } from '../native/process/affinity.ts';
import { errno, NativeError } from '../native/error.ts';
import { exitNow, nameProcess } from '../native/process/process.ts';
import type { ToSupervisor, ToWorker, WorkerSetup } from '../protocol/ipc.ts';
import { Ledger } from '../protocol/ledger.ts';
import { borrow } from './borrow.ts';
import { Pump } from './pump.ts';
import { lentIo } from './pump-io.ts';
import { Waiter } from './waiter.ts';

const beatMs = 1000;
const name = 'trace-agent';

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

  let pump: Pump | undefined;
  /** Resolves when there may be something in the socket, or never will be: the supervisor is gone. */
  const assigned = new Promise<void>((resolve) => {
    process.on('disconnect', () => {
      pump?.leave();
      resolve();
    });
    // It may have closed while this script was being loaded, when nobody listened yet.
    if (!process.connected) resolve();
    process.on('message', (message: ToWorker) => {
      switch (message.kind) {
        case 'serve':
          return resolve();
        case 'start':
          return pump?.start();
        case 'stop':
          return pump?.stop(message.id, message.maxPages);
        case 'leave':
          return pump?.leave();
        default:
          return message satisfies never;
      }
    });
  });

  dropPrivileges(setup.identity);
  nameProcess(name, `${name} worker (standby)`);
  say({ kind: 'loaded' });
  await assigned;
  const borrowed = borrow(setup.outlet);
  // What a dead predecessor left in the pipe is sent also when the supervisor died just behind it.
  if (borrowed === undefined) return;
  const { assignment, lent } = borrowed;

  nameProcess(name, `${name} worker (CPU ${assignment.cpu})`);
  const ledger = new Ledger(lent.ledger, assignment.pageBytes);
  pump = new Pump(
    lentIo(lent, setup, assignment, ledger),
    ledger,
    waiter,
    { ...setup, ...assignment },
    {
      stopped: (id, flushed, heldBytes) => say({ kind: 'stopped', id, flushed, heldBytes }),
      gone: (what, code) => say({ kind: 'gone', what, code }),
      lost: (bytes) => say({ kind: 'lost', bytes }),
      host: (connected) => say({ kind: 'host', connected }),
    },
  );
  if (!process.connected) pump.leave();
  const pinned = pin(assignment.cpu);
  setInterval(() => {
    ledger.beat += 1;
    keepPinned(assignment.cpu);
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
