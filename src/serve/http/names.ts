import { isIP } from 'node:net';

/** The names by which a daemon may be addressed. */
export type OwnNames = ReadonlySet<string>;

/** To listen on all addresses; nobody's name. */
export const anyAddress: readonly string[] = ['0.0.0.0', '::'];
const loopbackNames = ['localhost', '127.0.0.1', '[::1]'];

/** Whether only this machine reaches the address. */
export function isLoopback(address: string): boolean {
  return address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}

/**
 * @param address on which it listens
 * @param certificate subjectAltName of its certificate, as Node gives it: `DNS:host, IP Address:10.0.0.1`
 */
export function ownNames(address: string, certificate: string | undefined): OwnNames {
  const names = [...loopbackNames];
  if (!anyAddress.includes(address)) names.push(isIP(address) === 6 ? `[${address}]` : address);
  for (const [, dns, ip] of (certificate ?? '').matchAll(/(?:DNS:([^,\s]+)|IP Address:([^,\s]+))/g)) {
    if (dns !== undefined) names.push(dns.toLowerCase());
    if (ip !== undefined) names.push(isIP(ip) === 6 ? `[${ip.toLowerCase()}]` : ip);
  }
  return new Set(names);
}

/**
 * Whether a Host header names this daemon. A page whose name an attacker makes point to this address (DNS rebinding)
 * has another one. The port may differ: it may be forwarded.
 */
export function isOwnHost(host: string | undefined, names: OwnNames): boolean {
  const name = /^(\[[\da-f:.]+\]|[a-z\d.-]+)(?::\d{1,5})?$/i.exec(host ?? '')?.[1];
  return name !== undefined && names.has(name.toLowerCase());
}

/** What of a request decides whether another site may have caused it. */
export interface Asked {
  readonly method: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** Header Sec-Fetch-Site, which current browsers send. */
  readonly fetchSite: string | undefined;
  readonly hasBearer: boolean;
  readonly isTls: boolean;
}

/** Whether a request is not from another site: browsers attach cookies to those too, also from another port. */
export function isSameSite({ method, host, origin, fetchSite, hasBearer, isTls }: Asked): boolean {
  if (fetchSite === 'cross-site' || fetchSite === 'same-site') return false;
  if (origin !== undefined) return origin === `${isTls ? 'https' : 'http'}://${host}`;
  // a browser sends Origin with everything that changes something; a script sends the token in a header instead
  return method === 'GET' || method === 'HEAD' || hasBearer;
}
