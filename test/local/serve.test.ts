import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isObject } from '../../src/base/json-type.ts';
import { exitCode } from '../../src/base/failure.ts';
import { traceHost } from '../guest/support/trace-host.ts';
import { repoRoot } from '../repo-root.ts';
import { thorough } from '../set.ts';
import { TestDaemon } from './harness/daemon.ts';

/** Names that are markup, terminal codes or a path. */
const odd = '<img src=x onerror=alert(1)>';

describe('trace-host serve', { timeout: 300_000 }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-serve-'));
  let daemon: TestDaemon;
  before(async () => {
    daemon = await TestDaemon.start(dir, '--log-level', 'debug');
  });
  after(async () => {
    assert.equal(await daemon.end(), exitCode.done, daemon.said);
    rmSync(dir, { recursive: true, force: true });
  });

  it('wants the token for everything but the page', async () => {
    assert.equal(statSync(join(dir, 'data', 'token')).mode & 0o777, 0o600);
    for (const path of ['/api/guests', '/api/openapi.json', '/metrics', '/api/events', '/api/recordings']) {
      assert.equal((await daemon.ask(path, { token: false })).status, 401, path);
      const wrong = { authorization: `Bearer ${'x'.repeat(43)}` };
      assert.equal((await daemon.ask(path, { token: false, headers: wrong })).status, 401, path);
      const cookie = { cookie: 'a=b; trace-host-token=' };
      assert.equal((await daemon.ask(path, { token: false, headers: cookie })).status, 401, path);
    }
    const page = await daemon.send('/', { token: false });
    assert.equal(page.status, 200);
    assert.match(String(page.headers['content-security-policy']), /^default-src 'none'; script-src 'self';/);
    assert.equal(page.headers['x-content-type-options'], 'nosniff');
  });

  it('refuses other names (DNS rebinding) and other sites', async () => {
    for (const host of ['evil.example', `127.0.0.1.evil.example:${daemon.port}`, '127.0.0.1@evil'])
      assert.equal((await daemon.ask('/api/guests', { headers: { host } })).status, 421, host);
    for (const host of [`localhost:${daemon.port}`, '127.0.0.1:8000', '[::1]'])
      assert.equal((await daemon.ask('/api/guests', { headers: { host } })).status, 200, host);

    const cookie = `trace-host-token=${daemon.token}`;
    const host = `127.0.0.1:${daemon.port}`;
    const post = { method: 'POST', body: { guests: ['none'], host: false }, token: false };
    const from = async (headers: Record<string, string>): Promise<number> =>
      (await daemon.ask('/api/recordings', { ...post, headers: { cookie, ...headers } })).status;
    assert.equal(await from({ origin: `http://${host}` }), 404, 'no such guest, so the request was served');
    for (const origin of ['http://evil.example', 'null', `https://${host}`, 'http://127.0.0.1:1'])
      assert.equal(await from({ origin }), 403, origin);
    assert.equal(await from({}), 403, 'a cookie without Origin');
    const sites = { 'sec-fetch-site': 'same-site', cookie };
    assert.equal((await daemon.ask('/api/guests', { token: false, headers: sites })).status, 403);
    const cors = await daemon.ask('/api/guests', { headers: { origin: `http://${host}` } });
    assert.equal(cors.headers['access-control-allow-origin'], undefined);
  });

  it('gives a browser the cookie for a code, once', async () => {
    const { code, stdout, stderr } = await traceHost('open', '--socket', daemon.socket);
    assert.equal(code, exitCode.done, stderr);
    const [, given = ''] = /^http:\/\/127\.0\.0\.1:\d+\/login#([\w-]{32})\n$/.exec(stdout) ?? [];
    const page = await daemon.send('/login', { token: false });
    assert.equal(page.status, 200);
    // else a browser asks for /favicon.ico, and is refused
    assert.match(page.text, /<link rel="icon" href="data:,">/);
    const headers = { origin: `http://127.0.0.1:${daemon.port}` };
    const exchange = () =>
      daemon.ask('/api/login', { method: 'POST', token: false, headers, body: { code: given } });
    const logged = await exchange();
    assert.equal(logged.status, 204);
    const [cookie = ''] = logged.headers['set-cookie'] ?? [];
    assert.match(cookie, /^trace-host-token=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
    const [pair = ''] = cookie.split(';');
    assert.equal((await daemon.ask('/api/guests', { token: false, headers: { cookie: pair } })).status, 200);
    assert.equal((await exchange()).status, 401, 'a second time');
    for (const secret of [given, daemon.token])
      assert.ok(!daemon.said.includes(secret), 'a secret in the log');
  });

  it('refuses malformed and oversized requests', async () => {
    const post = (body: object | string, type = 'application/json') =>
      daemon.ask('/api/recordings', { method: 'POST', body, headers: { 'content-type': type } });
    assert.equal((await post('{"guests":')).status, 400);
    assert.equal((await post('guests=web', 'text/plain')).status, 415);
    assert.equal((await post('x'.repeat(70_000))).status, 413);
    for (const body of [
      {},
      { guests: [], host: false },
      { guests: [odd], host: false },
      { guests: ['--output=x'], host: false },
      { guests: ['web', 'web'], host: false },
      { guests: [], host: true, durationMs: 1e12 },
      { guests: [], host: true, events: ['--output=/etc/passwd;'] },
      { guests: [], host: true, more: 1 },
      { guests: 'web', host: 'yes' },
    ])
      assert.equal((await post(body)).status, 400, JSON.stringify(body));
    assert.deepEqual(readdirSync(join(dir, 'data', 'recordings')), []);
  });

  it('takes ids only, never paths', async () => {
    const names = [
      '..',
      '../token',
      '..%2ftoken',
      '%2e%2e%2f%2e%2e%2fetc%2fpasswd',
      '%00',
      'x'.repeat(200),
      odd,
    ];
    for (const name of names.map((each) => each.replaceAll(/[<> ]/g, encodeURIComponent)))
      for (const path of [
        `/api/recordings/${name}`,
        `/api/recordings/${name}/files/0`,
        `/api/jobs/${name}`,
        `/assets/${name}`,
      ]) {
        const { status } = await daemon.ask(path);
        assert.ok(status === 404 || status === 400 || status === 414, `${path}: ${status}`);
      }
    assert.equal((await daemon.ask(`/api/jobs/none`, { method: 'DELETE' })).status, 404);
    assert.equal((await daemon.ask(`/api/recordings/none`, { method: 'DELETE' })).status, 404);
    assert.ok(statSync(join(dir, 'data', 'token')).isFile());
  });

  it('describes each route in its OpenAPI document', async () => {
    const document = await daemon.get('/api/openapi.json');
    const described = Object.keys(Object(document['paths'])).sort();
    const folder = join(repoRoot, 'src/serve/routes');
    const sources = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
    const routes = sources.flatMap((text) =>
      [...text.matchAll(/^ {4}'(\/(?:api|metrics)[^']*)'/gm)].map(([, path = '']) => path),
    );
    assert.ok(routes.length > 15, `${routes.length} routes`);
    assert.deepEqual(
      described,
      [...new Set(routes.map((path) => path.replaceAll(/:(\w+)/g, '{$1}')))].sort(),
    );
    assert.equal((await daemon.ask('/metrics')).text.split('\n').at(-2), '# EOF');
  });

  it('shows guests whose directories come and go, with names as text', async () => {
    const guest = join(dir, 'guests', 'web');
    mkdirSync(join(dir, 'guests'), { mode: 0o700 });
    mkdirSync(join(dir, 'guests', odd.replaceAll('/', '')));
    const { code, stderr } = await traceHost(
      'setup',
      '--dir',
      join(dir, 'guests'),
      '--guest',
      'web',
      '--cpus',
      '2',
    );
    assert.equal(code, 0, stderr);
    const names = async (): Promise<string> => {
      const { guests } = await daemon.get('/api/guests');
      assert.ok(Array.isArray(guests));
      return guests
        .map((each) => (isObject(each) ? `${String(each['name'])} ${String(each['state'])}` : ''))
        .join();
    };
    await eventually('the guest appears', async () => (await names()) === 'web gone');
    const [web] = Object(await daemon.get('/api/guests')).guests;
    assert.equal(web.cpus, 2);
    assert.match(web.why, /is not running/);
    rmSync(guest, { recursive: true });
    await eventually('the guest disappears', async () => (await names()) === '');
  });

  it('serves its socket to its user and group, without the token', async () => {
    assert.equal(statSync(daemon.socket).mode & 0o777, 0o660);
    const { status, stderr } = spawnSync(
      process.execPath,
      [
        '-e',
        `
      require('node:http').get({ socketPath: ${JSON.stringify(daemon.socket)}, path: '/api/guests' }, (answer) => {
        process.exitCode = answer.statusCode === 200 ? 0 : 1;
        answer.resume();
      })`,
      ],
      { encoding: 'utf8' },
    );
    assert.equal(status, 0, stderr);
  });

  it('lets no other daemon use its data or its socket, and says what is wrong', async () => {
    const data = join(dir, 'data');
    const other = ['--listen', '127.0.0.1:0', '--socket', join(dir, 'other.sock')];
    const cases: readonly (readonly [readonly string[], RegExp, number])[] = [
      [['--data', data, ...other], /another trace-host serve uses/, exitCode.failed],
      [['--data', join(dir, 'data2'), '--socket', daemon.socket], /listens on/, exitCode.failed],
      [
        ['--data', join(dir, 'data3'), ...other.slice(2), '--listen', `127.0.0.1:${daemon.port}`],
        /EADDRINUSE/,
        exitCode.failed,
      ],
      [['--data', join(dir, 'data4'), '--listen', '0.0.0.0:0'], /--tls-cert/, exitCode.usage],
      [['--listen', 'localhost:80'], /not an address and a port/, exitCode.usage],
      [['--tls-cert', 'x.pem'], /belong together/, exitCode.usage],
      [
        ['--tls-cert', '/none', '--tls-key', '/none', '--data', join(dir, 'data5')],
        /cannot read \/none/,
        exitCode.missing,
      ],
    ];
    for (const [args, what, expected] of cases) {
      const { code, stderr } = await traceHost('serve', ...args);
      assert.match(stderr, what);
      assert.equal(code, expected, stderr);
    }
    assert.equal((await daemon.ask('/api/guests')).status, 200);
  });

  it('answers any request, and none with an error of its own', { timeout: 280_000 }, async () => {
    const document = await daemon.get('/api/openapi.json');
    const routes = Object.entries(Object(document['paths']))
      .filter(([path]) => path !== '/api/events')
      .flatMap(([path, methods]) =>
        Object.keys(Object(methods)).map((method) => [method.toUpperCase(), path] as const),
      );
    const word = fc.oneof(
      fc.string({ maxLength: 40 }),
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.constantFrom('..', odd, '\u001b[2J', '%'),
    );
    const requests = fc.record({
      route: fc.constantFrom(...routes),
      words: fc.array(word, { minLength: 3, maxLength: 3 }),
      query: fc.dictionary(fc.constantFrom('from', 'to', 'limit', 'worst', 'guest', 'x'), word, {
        maxKeys: 3,
      }),
      body: fc.oneof(
        fc.json(),
        word,
        fc
          .record({ guests: fc.array(word), host: fc.boolean(), on: fc.array(word) })
          .map((each) => JSON.stringify(each)),
      ),
      type: fc.constantFrom('application/json', 'text/plain', 'multipart/form-data'),
    });
    const property = fc.asyncProperty(
      requests,
      async ({ route: [method, path], words, query, body, type }) => {
        const filled = words.reduce((text, each) => text.replace(/\{\w+\}/, encoded(each)), path);
        const search = Object.entries(query)
          .map(([name, value]) => `${name}=${encoded(value)}`)
          .join('&');
        const asked = { method, ...(method === 'POST' && { body, headers: { 'content-type': type } }) };
        const { status, text } = await daemon.ask(`${filled}?${search}`, asked);
        assert.ok(status < 500, `${status}: ${text}`);
      },
    );
    await fc.assert(property, { numRuns: thorough(2000) });
    assert.equal(daemon.child.exitCode, null);
    assert.ok(!daemon.said.includes('"msg":"bug"'), daemon.said);
  });
});

/** Text in a URL. */
function encoded(text: string): string {
  return encodeURIComponent(Buffer.from(text).toString());
}

async function eventually(what: string, look: () => Promise<boolean>): Promise<void> {
  const untilMs = performance.now() + 60_000;
  while (!(await look())) {
    assert.ok(performance.now() < untilMs, `not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
