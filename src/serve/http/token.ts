import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { printable } from '../../base/quoted.ts';

export const cookieName = 'trace-host-token';
/** How long a code of `trace-host open` is valid. */
const codeMs = 60_000;
const maxCodes = 16;

/** The file of the token in a data directory. */
export function tokenPath(dataDir: string): string {
  return join(dataDir, 'token');
}

/** Reads the token, or makes one in a file that only this user can read. @throws Failure */
export function readToken(dataDir: string): string {
  const path = tokenPath(dataDir);
  const { O_RDONLY, O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
  try {
    const fd = openSync(path, O_RDONLY | O_NOFOLLOW);
    try {
      const { uid, mode } = fstatSync(fd);
      const token = readFileSync(fd, 'latin1').trim();
      if (uid === process.geteuid?.() && (mode & 0o077) === 0 && /^[\w-]{43}$/.test(token)) return token;
    } finally {
      closeSync(fd);
    }
    throw new Failure(
      exitCode.notPermitted,
      `${printable(path)} is not a token that only this user can read`,
      'remove it; the next start makes another one',
    );
  } catch (cause) {
    if (codeOf(cause) !== 'ENOENT') throw cause;
  }
  const token = randomBytes(32).toString('base64url');
  const fd = openSync(`${path}.new`, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600);
  try {
    fchmodSync(fd, 0o600);
    writeFileSync(fd, `${token}\n`);
  } finally {
    closeSync(fd);
  }
  renameSync(`${path}.new`, path);
  return token;
}

/** Decides whether a request knows the token, and exchanges codes for it. */
export class Access {
  readonly #token: string;
  readonly #digest: Buffer;
  /** Digests of codes that are valid, and until when. */
  readonly #codes = new Map<string, number>();

  constructor(token: string) {
    this.#token = token;
    this.#digest = digestOf(token);
  }

  /** Whether the headers carry the token. */
  knows(authorization: string | undefined, cookies: string | undefined): boolean {
    const given = bearerOf(authorization) ?? cookieOf(cookies);
    return given !== undefined && timingSafeEqual(digestOf(given), this.#digest);
  }

  /** A code that can be exchanged for the cookie, once and within a minute. */
  newCode(nowMs = Date.now()): { readonly code: string; readonly expiresAt: string } {
    const code = randomBytes(24).toString('base64url');
    const untilMs = nowMs + codeMs;
    this.#codes.set(digestOf(code).toString('hex'), untilMs);
    for (const [oldest] of this.#codes) {
      if (this.#codes.size <= maxCodes) break;
      this.#codes.delete(oldest);
    }
    return { code, expiresAt: new Date(untilMs).toISOString() };
  }

  /** The cookie for a code; undefined if the code is not valid, or not any more. */
  cookieFor(code: string, isTls: boolean, nowMs = Date.now()): string | undefined {
    const key = digestOf(code).toString('hex');
    const untilMs = this.#codes.get(key);
    this.#codes.delete(key);
    if (untilMs === undefined || nowMs > untilMs) return undefined;
    const secure = isTls ? '; Secure' : '';
    return `${cookieName}=${this.#token}; Path=/; HttpOnly; SameSite=Strict${secure}`;
  }
}

export function bearerOf(authorization: string | undefined): string | undefined {
  return /^Bearer ([\w-]{1,128})$/i.exec(authorization ?? '')?.[1];
}

function cookieOf(cookies: string | undefined): string | undefined {
  for (const pair of (cookies ?? '').split(';')) {
    const [name, value] = pair.trim().split('=', 2);
    if (name === cookieName) return value;
  }
  return undefined;
}

/** Digests have one length, so that they can be compared in constant time. */
function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
