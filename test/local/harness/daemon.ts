import { Ajv } from 'ajv';
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { isObject } from '../../../src/base/json-type.ts';
import { hostProgram } from '../../guest/support/trace-host.ts';
import { until } from './until.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly bytes: Buffer;
  readonly text: string;
  /** The body as JSON; undefined if it is none. */
  readonly value: unknown;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON. */
  readonly body?: object | string | Buffer;
  /** Whether to send the token; true by default. */
  readonly token?: boolean;
}

/** A running `trace-host serve` on a free port. Each answer to a request is validated against its OpenAPI document. */
export class TestDaemon {
  readonly dir: string;
  readonly child: ChildProcess;
  readonly port: number;
  readonly token: string;
  readonly socket: string;
  readonly #said: () => string;
  #document: Record<string, unknown> | undefined;
  readonly #ajv = new Ajv({ strict: false });

  private constructor(dir: string, data: string, child: ChildProcess, port: number, said: () => string) {
    this.dir = dir;
    this.child = child;
    this.port = port;
    this.socket = join(dir, 'serve.sock');
    this.token = readFileSync(join(data, 'token'), 'latin1').trim();
    this.#said = said;
  }

  /** @param dir of its socket, and of its data and the guests, if no option says otherwise */
  static async start(dir: string, ...args: string[]): Promise<TestDaemon> {
    const given = args.indexOf('--data') + 1;
    const data = given > 0 ? (args[given] ?? '') : join(dir, 'data');
    const places = ['--data', data, '--socket', join(dir, 'serve.sock')];
    const guests = args.includes('--dir') ? [] : ['--dir', join(dir, 'guests')];
    const child = spawn(
      process.execPath,
      [hostProgram, 'serve', '--listen', '127.0.0.1:0', ...places, ...guests, ...args],
      { stdio: ['ignore', 'inherit', 'pipe'] },
    );
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const port = await until(
      () => `it is not ready: ${said}`,
      () => {
        assert.equal(child.exitCode, null, said);
        return /"origin":"http:\/\/127\.0\.0\.1:(\d+)"/.exec(said)?.[1];
      },
      60_000,
    );
    return new TestDaemon(dir, data, child, Number(port), () => said);
  }

  /** Its log. */
  get said(): string {
    return this.#said();
  }

  async ask(path: string, asked: Asked = {}): Promise<Answer> {
    const answer = await this.send(path, asked);
    const [route = ''] = path.split('?');
    await this.#validate(asked.method ?? 'GET', route, answer);
    return answer;
  }

  /** An answer that must be OK, as JSON. */
  async get(path: string): Promise<Record<string, unknown>> {
    const { status, value, text } = await this.ask(path);
    assert.equal(status, 200, text);
    assert.ok(isObject(value));
    return value;
  }

  /** Without validation. */
  send(path: string, { method = 'GET', headers = {}, body, token = true }: Asked = {}): Promise<Answer> {
    const isJson = body !== undefined && typeof body === 'object' && !Buffer.isBuffer(body);
    const all = {
      ...(token && { authorization: `Bearer ${this.token}` }),
      ...(isJson && { 'content-type': 'application/json' }),
      ...headers,
    };
    return new Promise((resolve, reject) => {
      const sent = httpRequest(
        { host: '127.0.0.1', port: this.port, path, method, headers: all, agent: false },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.once('error', reject).once('end', () => {
            const bytes = Buffer.concat(chunks);
            const text = bytes.toString();
            resolve({
              status: answer.statusCode ?? 0,
              headers: answer.headers,
              bytes,
              text,
              value: parsed(text),
            });
          });
        },
      );
      sent.setTimeout(120_000, () => sent.destroy(new Error(`${method} ${path}: no answer`)));
      sent.once('error', reject);
      sent.end(isJson ? JSON.stringify(body) : body);
    });
  }

  /** Starts a recording. @returns its id */
  async record(body: object): Promise<string> {
    const { status, value, text } = await this.ask('/api/recordings', { method: 'POST', body });
    assert.equal(status, 202, text);
    assert.ok(isObject(value) && typeof value['job'] === 'string');
    return value['job'];
  }

  /** Waits until a recording has ended. */
  async recorded(id: string): Promise<Record<string, unknown>> {
    for (;;) {
      const recording = await this.get(`/api/recordings/${id}`);
      if (recording['state'] === 'done') return recording;
      assert.equal(this.child.exitCode, null, this.said);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Ends it with a signal. @returns its exit code */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return this.child.exitCode;
    const ended = new Promise<number | null>((resolve) => this.child.once('exit', resolve));
    this.child.kill(signal);
    return ended;
  }

  async #validate(method: string, path: string, { status, value, text, headers }: Answer): Promise<void> {
    this.#document ??= Object(parsed((await this.send('/api/openapi.json')).text));
    const paths: Readonly<Record<string, unknown>> = Object(this.#document!['paths']);
    const [template] = Object.keys(paths).filter((each) =>
      new RegExp(`^${each.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path),
    );
    if (template === undefined) return;
    const operation = Object(paths[template])[method.toLowerCase()];
    if (operation === undefined) return;
    const responses: Readonly<Record<string, unknown>> = operation.responses;
    const response = responses[status] ?? responses[`${Math.floor(status / 100)}XX`];
    assert.ok(isObject(response), `${method} ${path} answered ${status}, which is not documented: ${text}`);
    const [type = ''] = (headers['content-type'] ?? '').split(';');
    const content = response['content'];
    if (content === undefined) return assert.equal(text, '', `${method} ${path}`);
    const described = Object(content)[type];
    assert.ok(isObject(described), `${method} ${path} answered ${type}, which is not documented`);
    if (!type.endsWith('json')) return;
    const validate = this.#ajv.compile(Object(described['schema']));
    assert.ok(validate(value), `${method} ${path}: ${this.#ajv.errorsText(validate.errors)}: ${text}`);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
