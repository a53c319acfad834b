import { chmodSync, closeSync, lstatSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { codeOf } from '../base/error-code.ts';
import { onEndSignals } from '../base/end-signals.ts';
import { type ExitCode, exitCode, Failure } from '../base/failure.ts';
import { printable } from '../base/quoted.ts';
import { tryLock } from '../native/io/file-lock.ts';
import { makeLog } from '../supervisor/log.ts';
import { ServiceManager } from '../supervisor/service-manager.ts';
import { anyAddress, isLoopback } from './http/names.ts';
import { makeServers } from './http/server.ts';
import { Access, readToken } from './http/token.ts';
import type { Daemon } from './routes/daemon-state.ts';
import { addEventRoutes } from './routes/events.ts';
import { addMetricsRoute } from './routes/metrics.ts';
import { addPageRoutes } from './routes/page.ts';
import { addReadingRoutes } from './routes/reading.ts';
import { addLoginRoutes, addRoutes } from './routes/routes.ts';
import type { ServeOptions } from './settings.ts';
import { Bus } from './state/bus.ts';
import { Guests } from './state/guests.ts';
import { Jobs } from './state/jobs.ts';
import { Recordings } from './state/recordings.ts';
import { Tops } from './state/tops.ts';

/** How long a stop may take: recordings are converted. */
const stopMs = 5 * 60_000;

/** Serves until a signal, then ends all jobs in order. @throws Failure if it cannot start */
export async function runDaemon(options: ServeOptions): Promise<ExitCode> {
  const { listen, tls, dataDir, socket, command } = options;
  if (!isLoopback(listen.address) && tls === undefined)
    throw new Failure(
      exitCode.usage,
      `--listen: others can reach ${listen.address}, and nothing would be encrypted`,
      'add --tls-cert and --tls-key, or listen on 127.0.0.1 and forward the port with ssh -L',
    );
  const manager = new ServiceManager();
  const log = await makeLog(options.logLevel, options.logFormat);
  // files of guests are nobody else's business
  process.umask(0o077);
  const unlock = lockData(dataDir);
  const access = new Access(readToken(dataDir));
  const { app, tcp, unix, name } = await makeServers(options, access, log);

  const bus = new Bus();
  const children = { command };
  const recordings = new Recordings(dataDir, bus);
  const jobs = new Jobs(children, recordings, bus, log, options.guestsDir);
  const guests: Guests = new Guests(
    options.guestsDir,
    bus,
    (name) => jobs.jobOf(name),
    (name) => tops.uses(name),
  );
  const tops = new Tops(children, guests, log);
  const daemon: Daemon = { children, bus, guests, jobs, recordings, tops };
  const origin = (): string => originOf(tcp, tls !== undefined, name);
  addPageRoutes(app);
  addRoutes(app, daemon);
  addLoginRoutes(app, access, origin, tls !== undefined);
  addReadingRoutes(app, daemon);
  const eventClients = addEventRoutes(app, daemon);
  await addMetricsRoute(app, daemon, eventClients);
  await app.ready();

  const ended = new Promise<void>((resolve) => {
    onEndSignals(
      () => resolve(),
      () => {
        log.warn('a second signal: recordings end by themselves');
        process.exit(exitCode.failed);
      },
      () => resolve(),
    );
  });
  let isListening = false;
  try {
    await listenOn(unix, socket);
    isListening = true;
    await listenTcp(tcp, listen);
    guests.start();
    const recovery = jobs.recover();
    log.info({ origin: origin(), socket, data: dataDir, guests: options.guestsDir }, 'ready');
    manager.ready(() => `${guests.views().length} guests, ${jobs.running} recordings`);
    await ended;
    log.info('stopping');
    manager.stopping(stopMs);
    await Promise.all([tops.close(), jobs.close(), guests.close(), recovery]);
    return exitCode.done;
  } finally {
    manager.close();
    await app.close();
    for (const server of [unix, tcp]) {
      server.close();
      server.closeAllConnections();
    }
    if (isListening) rmSync(socket, { force: true });
    unlock();
  }
}

/** Only one daemon uses a data directory; the kernel releases the lock however that ends. */
function lockData(dataDir: string): () => void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const fd = openSync(join(dataDir, 'lock'), 'a', 0o600);
    if (tryLock(fd)) return () => closeSync(fd);
    closeSync(fd);
  } catch (cause) {
    throw new Failure(
      exitCode.notPermitted,
      `cannot write to ${printable(dataDir)}: ${codeOf(cause)}`,
      'give another --data',
      { cause },
    );
  }
  throw new Failure(
    exitCode.failed,
    `another trace-host serve uses ${printable(dataDir)}`,
    'stop it, or give another --data',
  );
}

/** @param name of its certificate, for a daemon that listens on all addresses */
function originOf(server: Pick<Server, 'address'>, isTls: boolean, name: string | undefined): string {
  const address = server.address();
  if (address === null || typeof address === 'string') return '';
  const own = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  const host = anyAddress.includes(address.address) ? (name ?? 'localhost') : own;
  return `${isTls ? 'https' : 'http'}://${host}:${address.port}`;
}

async function listenTcp(server: Server, { address, port }: ServeOptions['listen']): Promise<void> {
  try {
    await listening(server, () => server.listen(port, address));
  } catch (cause) {
    throw new Failure(
      exitCode.failed,
      `cannot listen on ${address}:${port}: ${codeOf(cause)}`,
      'give another --listen ADDRESS:PORT',
      { cause },
    );
  }
}

/** Listens on a socket that the owner and the group may use. A socket that nobody serves any more is replaced. */
async function listenOn(server: Server, path: string): Promise<void> {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
    if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true) {
      if (await isServed(path))
        throw new Failure(
          exitCode.failed,
          `another trace-host serve listens on ${printable(path)}`,
          'stop it, or give another --socket',
        );
      rmSync(path);
    }
    await listening(server, () => server.listen(path));
    chmodSync(path, 0o660);
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    throw new Failure(
      exitCode.failed,
      `cannot listen on ${printable(path)}: ${codeOf(cause)}`,
      'give another --socket',
      { cause },
    );
  }
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const settle = (is: boolean): void => {
      socket.destroy();
      resolve(is);
    };
    socket.once('connect', () => settle(true)).once('error', () => settle(false));
  });
}

function listening(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    listen();
  });
}
