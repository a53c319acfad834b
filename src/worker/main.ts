/**
 * A worker: the child process that moves one CPU's pages. It opens no path and needs no privilege: it receives every
 * descriptor from the supervisor, which keeps its own copies. It loads all its scripts, then waits until it is assigned
 * a CPU.
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
  // If the supervisor is gone, nobody receives messages; when the channel closed, the pump was told to leave.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

/**
 * Pins this process to the CPU.
 * @returns false if that fails because the CPU is offline: its ring is then read from another CPU
 */
function pin(cpu: number): boolean {
  try {
    pinProcess(cpu);
    return true;
  } catch (error) {
    if (error instanceof NativeError && error.errno === errno.EINVAL) return false;
    throw error;
  }
}

/**
 * Pins the worker to its CPU again. When a CPU goes offline, the kernel moves its tasks and widens their affinity;
 * it does not narrow the affinity when the CPU is back.
 */
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
  // A terminal's Ctrl-C and a service manager's SIGTERM reach the whole process group, but the supervisor decides
  // when to end. SIGABRT is what a watchdog sends to a hanging supervisor; the worker survives it and sends what it
  // holds.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGABRT'] as const)
    process.on(signal, () => undefined);

  let pump: Pump | undefined;
  /** Resolves when the socket may hold a message, or when none will come because the supervisor is gone. */
  const assigned = new Promise<void>((resolve) => {
    process.on('disconnect', () => {
      pump?.leave();
      resolve();
    });
    // the channel may have closed while this script was loading, before the listener above was added
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
  // An assignment is carried out even if the supervisor has died in the meantime: a dead worker may have left pages in
  // the pipe, and they must be sent.
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
  // Exit only after this turn of the event loop: until then, the last message may not have been sent.
  () => setImmediate(() => exitNow(0)),
  (error: unknown) => {
    process.stderr.write(
      `trace-agent worker: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    exitNow(1);
  },
);
