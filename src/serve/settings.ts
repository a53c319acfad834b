import type { LogLevel } from '../supervisor/options.ts';

/** Where TCP connections are accepted. */
export interface Listen {
  /** An address, not a name. */
  readonly address: string;
  /** 0 for any free one. */
  readonly port: number;
}

/** Files of a certificate and its key, in PEM form. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/** What `trace-host serve` was asked for. */
export interface ServeOptions {
  readonly listen: Listen;
  readonly socket: string;
  readonly dataDir: string;
  /** Directory of guests, as with `--dir`. */
  readonly guestsDir: string;
  readonly tls: TlsFiles | undefined;
  readonly logLevel: LogLevel;
  readonly logFormat: 'json' | 'pretty';
  /** Runs this program again; options follow. */
  readonly command: readonly string[];
}

/** The longest body of a request, in bytes. */
export const maxBodyBytes = 64 * 1024;
/** Clients of events at the same time. */
export const maxEventClients = 100;
/** Connections at the same time; further ones are closed. */
export const maxConnections = 2000;
/** A recording needs at least this much free space at its start, and ends when this much is left. */
export const leastFreeBytes = 64 * 2 ** 20;
