import { resolve } from 'node:path';
import { exitCode, Failure } from '../../../../base/failure.ts';
import { defaultDir } from '../../../../host/guest-dir/location.ts';
import type { ServeOptions } from '../../../../serve/settings.ts';
import type { Given } from '../given.ts';
import { hostSettings } from '../host-settings.ts';
import { defaultDataDir, defaultSocket, serveSettings } from './serve-settings.ts';

/** The command line of `trace-host serve`. */
export type ServeCommand = Omit<ServeOptions, 'command' | 'logFormat'>;

/** The command line of `trace-host open`. */
export interface OpenCommand {
  /** Undefined: that of this user's daemon, or of the system's. */
  readonly socket: string | undefined;
}

/** Throws Failure (usage). */
export function readServe(given: Given): ServeCommand {
  const cert = given.get(serveSettings.tlsCert);
  const key = given.get(serveSettings.tlsKey);
  if ((cert === undefined) !== (key === undefined))
    throw new Failure(exitCode.usage, '--tls-cert and --tls-key belong together', 'give both, or none');
  return {
    listen: given.read(serveSettings.listen),
    socket: given.get(serveSettings.serveSocket) ?? defaultSocket(),
    dataDir: resolve(given.get(serveSettings.data) ?? defaultDataDir()),
    guestsDir: given.get(hostSettings.dir) ?? defaultDir,
    tls: cert === undefined || key === undefined ? undefined : { cert, key },
    logLevel: given.read(serveSettings.serveLogLevel),
  };
}

/** Throws Failure (usage). */
export function readOpen(given: Given): OpenCommand {
  return { socket: given.get(serveSettings.serveSocket) };
}
