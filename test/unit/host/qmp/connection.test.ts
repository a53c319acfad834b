import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { exitCode } from '../../../../src/base/failure.ts';
import { QmpConnection } from '../../../../src/host/qmp/connection.ts';
import { failure, scratchDir } from '../guest-dir/scratch.ts';

/** A QEMU that sends a greeting, accepts every command, and can be ended. */
async function fakeQemu(context: TestContext): Promise<{ readonly path: string; end(): Promise<void> }> {
  const path = join(scratchDir(context), 'qmp');
  let client: Socket | undefined;
  const server = createServer((socket) => {
    client = socket;
    socket.write('{"QMP":{}}\n');
    socket.on('data', (text) => {
      for (const line of String(text).trim().split('\n'))
        socket.write(`{"return":{},"id":${JSON.parse(line).id}}\n`);
    });
  });
  server.listen(path);
  await once(server, 'listening');
  const end = async (): Promise<void> => {
    client?.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  context.after(end);
  return { path, end };
}

describe('QmpConnection', () => {
  it('reports at once that QEMU has ended, also when that happened between two commands', async (context) => {
    const qemu = await fakeQemu(context);
    const qmp = await QmpConnection.open(qemu.path);
    context.after(() => qmp.close());
    assert.deepEqual(await qmp.execute('query-chardev'), {});
    await qemu.end();
    await new Promise((resolve) => setTimeout(resolve, 100));
    const startedMs = performance.now();
    await assert.rejects(qmp.execute('query-chardev'), failure(exitCode.missing, /^QEMU closed /));
    await assert.rejects(
      qmp.event('DEVICE_DELETED', () => true),
      failure(exitCode.missing, /^QEMU closed /),
    );
    assert.ok(performance.now() - startedMs < 1000);
  });
});
