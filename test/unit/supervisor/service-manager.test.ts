// @first its waits

import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorCode } from '../../../src/base/error-code.ts';
import { checked, declare } from '../../../src/native/libc.ts';
import { sendUnixDatagram } from '../../../src/native/ipc/unix-socket.ts';
import { ServiceManager } from '../../../src/supervisor/service-manager.ts';

const libcSocket = declare('int socket(int domain, int type, int protocol)');
const libcBind = declare('int bind(int fd, const void *address, unsigned int bytes)');
const unixDatagramNonBlocking = [1, 2 | 0o4000 | 0o2000000, 0] as const;

/** The service manager's end of the socket. */
class Inbox {
  readonly #fd: number;

  constructor(context: TestContext, name: string) {
    this.#fd = checked('socket', libcSocket(...unixDatagramNonBlocking));
    context.after(() => closeSync(this.#fd));
    const address = Buffer.from(`\u0001\0${name}`);
    if (name.startsWith('@')) address.writeUInt8(0, 2);
    checked('bind', libcBind(this.#fd, address, address.byteLength));
  }

  /** The datagrams received so far, each as its lines. */
  take(): string[][] {
    const taken: string[][] = [];
    const bytes = Buffer.alloc(4096);
    for (;;) {
      try {
        taken.push(bytes.toString('utf8', 0, readSync(this.#fd, bytes)).split('\n'));
      } catch (error) {
        if (errorCode(error) !== 'EAGAIN') throw error;
        return taken;
      }
    }
  }
}

function pathIn(context: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-notify-'));
  context.after(() => rmSync(dir, { recursive: true, force: true }));
  return join(dir, 'notify');
}

test('reports ready once, and its state whenever it changes', async (context) => {
  const path = pathIn(context);
  const inbox = new Inbox(context, path);
  const manager = new ServiceManager({ NOTIFY_SOCKET: path });
  let state = 'Waits: 2 of 2 CPUs';
  manager.ready(() => state);
  assert.deepEqual(inbox.take(), [['READY=1', 'STATUS=Waits: 2 of 2 CPUs']]);
  state = 'Traces: 2 of 2 CPUs';
  await sleep(2200);
  assert.deepEqual(inbox.take(), [['STATUS=Traces: 2 of 2 CPUs']]);
  manager.stopping(24_000);
  assert.deepEqual(inbox.take(), [
    ['STOPPING=1', 'STATUS=Sending remaining pages', 'EXTEND_TIMEOUT_USEC=29000000'],
  ]);
  manager.close();
});

test('an abstract name is found, and a trailing NUL makes it a different name', (context) => {
  const name = `@virtio-trace-${process.pid}`;
  const inbox = new Inbox(context, name);
  const manager = new ServiceManager({ NOTIFY_SOCKET: name });
  manager.ready(() => 'here');
  manager.close();
  assert.deepEqual(inbox.take(), [['READY=1', 'STATUS=here']]);
  assert.throws(() => sendUnixDatagram(`${name}\0`, 'READY=1'), { code: 'ECONNREFUSED' });
});

test('the address is removed from the environment, so that children do not notify the manager', () => {
  const env = { NOTIFY_SOCKET: '/run/none', WATCHDOG_USEC: '30000000', WATCHDOG_PID: '1', HOME: '/' };
  new ServiceManager(env).close();
  assert.deepEqual(env, { HOME: '/' });
});

test('notifies its watchdog every half period, but not while the event loop is blocked', async (context) => {
  const path = pathIn(context);
  const inbox = new Inbox(context, path);
  const beats = () => inbox.take().filter((lines) => lines.includes('WATCHDOG=1')).length;
  const beatMs = 200;
  const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC: '400000' };
  const manager = new ServiceManager({ ...env, WATCHDOG_PID: String(process.pid) });
  const fromMs = performance.now();
  manager.ready(() => 'here');
  let counted = 0;
  // on a busy machine some notifications are late, and none is sent later instead
  for (const deadlineMs = fromMs + 60_000; counted < 5; counted += beats()) {
    assert.ok(performance.now() < deadlineMs, `${counted} beats in a minute`);
    await sleep(50);
  }
  const spentMs = performance.now() - fromMs;
  assert.ok(counted <= 1 + spentMs / (beatMs - 5), `${counted} beats in ${spentMs} ms`);
  const untilMs = performance.now() + 600;
  while (performance.now() < untilMs);
  assert.equal(beats(), 0);
  manager.close();
  const others = new ServiceManager({ ...env, WATCHDOG_PID: '1' });
  others.ready(() => 'here');
  await sleep(500);
  others.close();
  assert.equal(beats(), 0);
});

test('a manager that does not answer is notified when it is back', async (context) => {
  const path = pathIn(context);
  const manager = new ServiceManager({ NOTIFY_SOCKET: path });
  manager.ready(() => 'here');
  const inbox = new Inbox(context, path);
  await sleep(1500);
  manager.close();
  assert.deepEqual(inbox.take(), [['READY=1', 'STATUS=here']]);
});

test('nothing is sent without a service manager', async () => {
  for (const address of [undefined, '', 'vsock:2:1', '@']) {
    const manager = new ServiceManager(address === undefined ? {} : { NOTIFY_SOCKET: address });
    manager.ready(() => assert.fail('nobody is to be told'));
    manager.stopping(1);
    await sleep(10);
    manager.close();
  }
});
