import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Browser, chromium, type Page } from 'playwright-core';

const paths = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Path of a browser; undefined if this machine has none. */
export const browserPath = paths.find((path) => existsSync(path));

/** Why tests in a browser are skipped; in CI they fail instead. */
export const browserSkip =
  browserPath === undefined && process.env['CI'] !== 'true' ? 'needs Debian package chromium' : false;

/** A headless browser that connects to nothing by itself. */
export function launch(): Promise<Browser> {
  if (browserPath === undefined) throw new Error('no browser; install the Debian package chromium');
  return chromium.launch({
    executablePath: browserPath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** What goes wrong in a page: errors, refusals of its security policy, requests to other hosts. */
export function troubleOf(page: Page, origin: string): string[] {
  const trouble: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') trouble.push(message.text());
  });
  page.on('pageerror', (error) => trouble.push(String(error)));
  page.on('request', (request) => {
    if (!request.url().startsWith(origin) && !request.url().startsWith('data:'))
      trouble.push(`request to ${request.url()}`);
  });
  return trouble;
}

const patienceMs = 30_000;

/** Waits until `look` gives a result, and returns it. */
export async function eventually<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`not within ${patienceMs} ms: ${what}`);
    await sleep(20);
  }
}
