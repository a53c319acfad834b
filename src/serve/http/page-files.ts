import { createHash } from 'node:crypto';
import { extname } from 'node:path';
import { readPageFiles } from './read-page.ts';

/** A file of the page. */
export interface PageFile {
  readonly type: string;
  readonly body: Buffer;
  readonly etag: string;
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.json': 'application/json',
};

/**
 * The page that exchanges the code of `trace-host open` for a cookie. The code is behind #, so it reaches no server. Without
 * an icon of its own, browsers would ask for /favicon.ico, and be refused.
 */
const login = {
  'login.html': `<!doctype html><html lang="en"><meta charset="utf-8"><title>trace-host</title><link rel="icon" href="data:,">
<script src="/assets/login.js" defer></script><p id="say">Opening …</p></html>
`,
  'assets/login.js': `const code = location.hash.slice(1);
history.replaceState(null, '', '/login');
fetch('/api/login', {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ code }),
}).then(
  (answer) => {
    if (answer.ok) location.replace('/');
    else document.getElementById('say').textContent = 'This link has been used, or is too old: run trace-host open again.';
  },
  () => {
    document.getElementById('say').textContent = 'The daemon does not answer.';
  },
);
`,
};

/** If the package was built without the page. */
const noPage = {
  'index.html': `<!doctype html><html lang="en"><meta charset="utf-8"><title>trace-host</title><link rel="icon" href="data:,">
<p>The page is not in this build. The API is: <a href="/api/openapi.json">/api/openapi.json</a></html>
`,
};

/** The files of the page by their paths, such as `index.html` and `assets/main.js`. Reads all of them. */
export function pageFiles(): ReadonlyMap<string, PageFile> {
  const texts = [...Object.entries(noPage), ...Object.entries(login)];
  const all = [...texts.map(([path, text]) => [path, Buffer.from(text)] as const), ...readPageFiles()];
  return new Map(
    all.map(([path, body]) => {
      const etag = `"${createHash('sha256').update(body).digest('base64url')}"`;
      return [path, { type: types[extname(path)] ?? 'application/octet-stream', body, etag }];
    }),
  );
}
