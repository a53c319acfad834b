// @first its waits

import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, openSync, closeSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { pino } from 'pino';
import { ControlPort } from '../../../../src/supervisor/orders/control-port.ts';
import { openPort } from '../../../../src/supervisor/ports/ports.ts';

const portName = 'agent-ctl-path';
const noSocat =
  spawnSync('socat', ['-V']).error === undefined ? false : 'socat is not installed: apt-get install socat';

let dir: string;
let port: ControlPort;
let serving: Promise<void>;
let heard: string[];
let logged: string[];
let hosts: ChildProcessWithoutNullStreams[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vt-control-'));
  heard = [];
  logged = [];
  hosts = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) });
  const hear = (line: { kind: string; text?: string }): void => void heard.push(line.text ?? line.kind);
  port = new ControlPort(() => openPort(dir, portName, 'both'), hear, log);
});
afterEach(async () => {
  port.close();
  await serving;
  for (const host of hosts) await hangUp(host);
  rmSync(dir, { recursive: true });
});

async function until(reached: () => boolean, what: string, mostMs = 60_000): Promise<void> {
  for (const endMs = performance.now() + mostMs; !reached(); await wait(5))
    assert.ok(
      performance.now() < endMs,
      `${what}; heard ${JSON.stringify(heard)}, logged ${logged.join('')}`,
    );
}

/**
 * Asserts that nothing spins: at least one of several seconds takes almost no CPU time, even if this machine is
 * busy.
 */
async function assertIdle(): Promise<void> {
  const found: number[] = [];
  while (found.length < 5) {
    const before = process.cpuUsage();
    await wait(1000);
    const { user, system } = process.cpuUsage(before);
    if (user + system < 200_000) return;
    found.push(user + system);
  }
  assert.fail(`${found.join(', ')} us of CPU in a second each`);
}

/** A host: its input is sent to the port, and its output is what the port sent. */
async function host(): Promise<ChildProcessWithoutNullStreams> {
  const link = join(dir, portName);
  const child = spawn('socat', ['-b', '4096', `pty,raw,echo=0,link=${link}`, '-']);
  hosts.push(child);
  await until(() => existsSync(link), 'socat makes its pty');
  return child;
}

async function hangUp(child: ChildProcessWithoutNullStreams): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  await exit;
}

function serve(): void {
  port.open();
  serving = port.run();
}

describe('the control port', { skip: noSocat }, () => {
  it('receives orders at any chunk boundaries', async () => {
    const end = await host();
    serve();
    const order = '{"id":1,"order":"status"}\n1\n0\n';
    for (const character of order) {
      end.stdin.write(character);
      await wait(3);
    }
    await until(() => heard.length === 3, 'three orders, one byte at a time');
    end.stdin.write(order.repeat(300));
    await until(() => heard.length === 903, 'all orders at once');
    assert.deepEqual(heard.slice(-3), ['{"id":1,"order":"status"}', '1', '0']);
  });

  it('accepts a bare order without newline after a short silence, but never a partial JSON line', async () => {
    const end = await host();
    serve();
    end.stdin.write('1');
    const fromMs = performance.now();
    await until(() => heard.length === 1, 'a bare order');
    assert.ok(performance.now() - fromMs >= 90);
    end.stdin.write('{"order":');
    await wait(250);
    assert.deepEqual(heard, ['1']);
    end.stdin.write('"stop"}\n');
    await until(() => heard.length === 2, 'the whole line');
    assert.equal(heard[1], '{"order":"stop"}');
  });

  it('sends answers in order, with their payloads, even if larger than any buffer', async () => {
    const end = await host();
    serve();
    const got: Buffer[] = [];
    end.stdout.on('data', (bytes: Buffer) => got.push(bytes));
    const payload = Buffer.alloc(1_000_000, 'p');
    port.send(Buffer.from('first\n'));
    port.send(Buffer.from('second\n'), payload);
    const expected = Buffer.concat([Buffer.from('first\nsecond\n'), payload]);
    await until(() => Buffer.concat(got).byteLength >= expected.byteLength, 'both answers');
    port.send(Buffer.from('third\n'));
    await until(() => Buffer.concat(got).toString().endsWith('third\n'), 'the third');
    assert.ok(Buffer.concat(got).equals(Buffer.concat([expected, Buffer.from('third\n')])));
  });

  it('drops whole answers while nobody reads, still receives orders, and stays in step', async () => {
    const end = await host();
    serve();
    process.kill(end.pid ?? 0, 'SIGSTOP');
    const line = (number: number): string => `${String(number).padStart(6, '0')} ${'x'.repeat(992)}\n`;
    for (let number = 0; number < 2000; number += 1) port.send(Buffer.from(line(number)));
    assert.ok(logged.some((text) => text.includes('dropped one')));
    const got: Buffer[] = [];
    end.stdout.on('data', (bytes: Buffer) => got.push(bytes));
    process.kill(end.pid ?? 0, 'SIGCONT');
    end.stdin.write('1\n');
    await until(() => heard.length === 1, 'an order');
    await until(() => Buffer.concat(got).byteLength > 256 * 1000, 'what was kept');
    await wait(100);
    port.send(Buffer.from('late\n'));
    await until(() => Buffer.concat(got).toString().endsWith('late\n'), 'an answer behind the gap');
    const lines = Buffer.concat(got).toString().split('\n').slice(0, -2);
    assert.ok(lines.length >= 256 && lines.length < 2000, `${lines.length} answers kept`);
    lines.forEach((text, number) => assert.equal(`${text}\n`, line(number)));
  });

  // A pty whose host end is closed reports hang-up forever, like a chardev without a client. Only a real port
  // returns ENODEV when it is unplugged, which the guest tests cover.
  it('without a host end costs almost no CPU time', async () => {
    const end = await host();
    serve();
    await hangUp(end);
    await wait(600);
    await assertIdle();
  });

  it('is waited for while it is missing, which is reported once, and served when it appears', async () => {
    serving = port.run();
    await until(() => logged.some((text) => text.includes(`no port ${portName}`)), 'its absence is said');
    port.send(Buffer.from('to nobody\n'));
    await wait(700);
    assert.equal(logged.filter((text) => text.includes(`no port ${portName}`)).length, 1);
    const end = await host();
    const got: Buffer[] = [];
    end.stdout.on('data', (bytes: Buffer) => got.push(bytes));
    await until(() => logged.some((text) => text.includes('control port is back')), 'it is back');
    end.stdin.write('1\n');
    await until(() => heard.length === 1, 'an order');
    port.send(Buffer.from('to you\n'));
    await until(() => Buffer.concat(got).byteLength >= 'to you\n'.length, 'an answer');
    assert.equal(Buffer.concat(got).toString(), 'to you\n');
  });

  it('closes at once, also while its port is missing', { timeout: 60_000 }, async ({ mock }) => {
    // no wait for the port ends by itself
    mock.timers.enable({ apis: ['setTimeout'] });
    serving = port.run();
    for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
    assert.ok(logged.some((text) => text.includes(`no port ${portName}`)));
    port.close();
    await serving;
  });
});

describe('a FIFO in place of the control port', () => {
  it('accepts one writer after another, does not spin, and keeps no answers', async () => {
    const path = join(dir, portName);
    execFileSync('mkfifo', [path]);
    serve();
    const echo = (text: string): void => {
      const fd = openSync(path, 'w');
      writeSync(fd, text);
      closeSync(fd);
    };
    echo('1\n');
    await until(() => heard.length === 1, 'the first');
    await assertIdle();
    echo('0');
    await until(() => heard.length === 2, 'the second');
    assert.deepEqual(heard, ['1', '0']);
    port.send(Buffer.alloc(400_000));
    port.send(Buffer.from('x'));
    assert.ok(!logged.some((text) => text.includes('dropped')));
  });
});
