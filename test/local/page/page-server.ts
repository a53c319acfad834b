import { spawn } from 'node:child_process';
import { createReadStream, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { columnsOf } from '../../../src/serve/routes/timeline-columns.ts';
import { repoRoot } from '../../repo-root.ts';

/** As the daemon sends it. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
  "font-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'";
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};
const program = join(repoRoot, 'dist/bin/trace-host.js');

/** A recording that the server lists. */
export interface ServedRecording {
  readonly id: string;
  readonly path: string;
  /** What the list says of it. */
  readonly listed: object;
}

interface Answers {
  guests: object;
  jobs: object;
  /** A frame for the stream of events, made each second. */
  frame: () => object;
}

/**
 * Serves the built page, and answers what it asks about recordings by the commands of trace-host. What the page asks
 * about running guests is answered by `answers`.
 */
export class PageServer {
  readonly answers: Answers;
  readonly recordings: ServedRecording[];
  /** Bodies of requests that change something, as `METHOD PATH BODY`. */
  readonly orders: string[] = [];
  /** Paths that are refused, with the problem to answer. */
  readonly refused = new Map<string, object>();
  readonly #server: Server;
  readonly #cache = mkdtempSync(join(tmpdir(), 'page-server-'));
  readonly #timelines = new Map<string, Promise<unknown>>();
  readonly #events = new Set<ServerResponse>();
  readonly #clock: NodeJS.Timeout;

  private constructor(recordings: readonly ServedRecording[], answers: Answers) {
    this.recordings = [...recordings];
    this.answers = answers;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        if (!response.headersSent) response.writeHead(500, { 'content-type': 'application/problem+json' });
        response.end(JSON.stringify({ title: String(error), status: 500 }));
      });
    });
    this.#clock = setInterval(() => this.tell('frame', this.answers.frame()), 1000);
  }

  static async start(
    recordings: readonly ServedRecording[],
    answers: Answers,
    port = 0,
  ): Promise<PageServer> {
    const served = new PageServer(recordings, answers);
    await new Promise<void>((resolve) => void served.#server.listen(port, '127.0.0.1', resolve));
    return served;
  }

  get origin(): string {
    const address: AddressInfo | string | null = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the server does not listen');
    return `http://127.0.0.1:${address.port}`;
  }

  tell(event: string, data: object): void {
    for (const response of this.#events) response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** Ends all streams of events, as a daemon that is restarted. */
  dropEvents(): void {
    for (const response of this.#events) response.destroy();
  }

  async close(): Promise<void> {
    clearInterval(this.#clock);
    this.#server.closeAllConnections();
    await new Promise((resolve) => void this.#server.close(resolve));
    rmSync(this.#cache, { recursive: true, force: true });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://page');
    const { pathname: path, searchParams: query } = url;
    response.setHeader('content-security-policy', policy);
    response.setHeader('x-content-type-options', 'nosniff');
    const refused = this.refused.get(path);
    if (refused !== undefined) return json(response, refused, 409, 'application/problem+json');
    if (request.method !== 'GET') return this.#order(request, response, path);
    if (path === '/api/events') return this.#follow(request, response);
    if (path === '/api/guests') return json(response, this.answers.guests);
    if (path === '/api/jobs') return json(response, this.answers.jobs);
    if (path === '/api/recordings')
      return json(response, { recordings: this.recordings.map(({ listed }) => listed) });
    const [, id = '', what, row, level] =
      /^\/api\/recordings\/([^/]+)\/?([^/]*)\/?([^/]*)\/?(.*)$/.exec(path) ?? [];
    const recording = this.recordings.find((each) => each.id === decodeURIComponent(id));
    if (recording !== undefined) return this.#recording(recording, response, query, what, row, level);
    const file = join(repoRoot, 'dist/page', path === '/' ? 'index.html' : path);
    if (path.startsWith('/api/') || path.includes('..') || !existsSync(file))
      return json(response, { title: 'not found', status: 404 }, 404, 'application/problem+json');
    response.writeHead(200, { 'content-type': types[extname(file)] ?? 'application/octet-stream' });
    createReadStream(file).pipe(response);
  }

  async #order(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const body: string[] = [];
    for await (const part of request) body.push(String(part));
    this.orders.push(`${request.method} ${path} ${body.join('')}`.trim());
    const at = this.recordings.findIndex(({ id }) => path === `/api/recordings/${id}`);
    if (request.method === 'DELETE' && at >= 0) this.recordings.splice(at, 1);
    json(response, { job: 'job-1' }, 202);
  }

  #follow(request: IncomingMessage, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write(`event: frame\ndata: ${JSON.stringify(this.answers.frame())}\n\n`);
    this.#events.add(response);
    request.on('close', () => this.#events.delete(response));
  }

  async #recording(
    { id, path }: ServedRecording,
    response: ServerResponse,
    query: URLSearchParams,
    what = '',
    row = '',
    level = '',
  ): Promise<void> {
    switch (what) {
      case 'timeline': {
        const dir = join(this.#cache, id);
        let stored = this.#timelines.get(id);
        if (stored === undefined) {
          stored = run(['timeline', path, '-o', dir]);
          this.#timelines.set(id, stored);
        }
        await stored;
        if (row === '') return json(response, JSON.parse(readFileSync(join(dir, 'index.json'), 'utf8')));
        const from = Number(query.get('from') ?? 0);
        const to = Number(query.get('to') ?? Infinity);
        const bytes = await columnsOf(dir, Number(row), Number(level), from, to);
        response.writeHead(200, { 'content-type': 'application/octet-stream' });
        response.end(bytes);
        return;
      }
      case 'explain': {
        const text = await run(['explain', path, '--json', '--worst', query.get('worst') ?? '10']);
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(text);
        return;
      }
      case 'report': {
        const lines = (await run(['report', path])).split('\n').slice(0, Number(query.get('limit') ?? 1000));
        response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
        response.end(lines.join('\n'));
        return;
      }
      case 'perfetto': {
        const file = join(this.#cache, `${id}.pftrace`);
        if (!existsSync(file)) await run(['export', path, '-o', file]);
        response.writeHead(200, { 'content-length': statSync(file).size });
        createReadStream(file).pipe(response);
        return;
      }
      default:
        json(response, { title: 'not found', status: 404 }, 404, 'application/problem+json');
    }
  }
}

function json(response: ServerResponse, value: object, status = 200, type = 'application/json'): void {
  response.writeHead(status, { 'content-type': type });
  response.end(JSON.stringify(value));
}

/** Runs trace-host; rejects with what it says if it fails. */
function run(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let [out, said] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve(out) : reject(new Error(said))));
  });
}
