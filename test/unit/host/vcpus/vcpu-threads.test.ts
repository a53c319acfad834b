import assert from 'node:assert/strict';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import {
  domainOf,
  tasksOf,
  threadsIn,
  vcpuOfName,
  vcpuThreads,
} from '../../../../src/host/vcpus/vcpu-threads.ts';
import { scratchDir } from '../../trace/samples.ts';

const { pid } = process;
/** Threads of this process, which stands for a QEMU. */
const [main = 0, second = 0, third = 0] = tasksOf(pid);

/** A QEMU that gives this answer to query-cpus-fast. @returns its options */
async function serveQmp(test: TestContext, answer: unknown): Promise<string[]> {
  const path = join(scratchDir(test), 'qmp');
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.write('{"QMP":{}}\n');
    socket.on('data', (bytes: Buffer) => {
      const { execute, id } = Object(JSON.parse(bytes.toString()));
      const told = execute === 'query-cpus-fast' ? answer : {};
      socket.write(`${JSON.stringify({ id, return: told })}\n`);
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  test.after(() => server.close());
  return ['qemu-system-x86_64', '-qmp', `unix:${path}`];
}

/** Names a thread of this process for the time of a test. */
function nameThread(test: TestContext, tid: number, name: string): void {
  const file = `/proc/${pid}/task/${tid}/comm`;
  const before = readFileSync(file);
  writeFileSync(file, name);
  test.after(() => writeFileSync(file, before));
}

/** A virsh that prints this. @returns a function that reads the arguments of its last call */
function fakeVirsh(test: TestContext, prints: string): () => string {
  const dir = scratchDir(test);
  writeFileSync(join(dir, 'out'), prints);
  writeFileSync(join(dir, 'virsh'), `#!/bin/sh\necho "$@" > ${dir}/args\ncat ${dir}/out\n`);
  chmodSync(join(dir, 'virsh'), 0o755);
  const path = process.env['PATH'];
  process.env['PATH'] = `${dir}:${path}`;
  test.after(() => {
    process.env['PATH'] = path;
  });
  return () => readFileSync(join(dir, 'args'), 'utf8').trim();
}

const cpus = (...threads: number[]) => threads.map((tid, vcpu) => ({ 'cpu-index': vcpu, 'thread-id': tid }));

describe('the threads of virtual CPUs', () => {
  it('are those that QEMU says, whatever their names', async (test) => {
    nameThread(test, second, 'CPU 5/KVM');
    const argv = await serveQmp(test, cpus(main, second));
    assert.deepEqual(
      await vcpuThreads({ pid, argv }),
      new Map([
        [0, main],
        [1, second],
      ]),
    );
  });

  it('are found by their names when QMP does not tell', async (test) => {
    nameThread(test, second, 'CPU 0/KVM');
    nameThread(test, third, 'CPU 11/TCG');
    const named = new Map([
      [0, second],
      [11, third],
    ]);
    assert.deepEqual(await vcpuThreads({ pid, argv: ['qemu'] }), named);
    // numbers of another PID namespace
    const argv = await serveQmp(test, cpus(2 ** 22 + 1, 2 ** 22 + 2));
    assert.deepEqual(await vcpuThreads({ pid, argv }), named);
  });

  it('are asked of libvirt last', async (test) => {
    const called = fakeVirsh(test, `${JSON.stringify({ return: cpus(main), id: 'libvirt-9' })}\n`);
    const argv = ['qemu', '-name', 'guest=web server,debug-threads=on'];
    assert.deepEqual(await vcpuThreads({ pid, argv }), new Map([[0, main]]));
    assert.equal(called(), 'qemu-monitor-command web server {"execute":"query-cpus-fast"}');
  });

  it('are unknown when nobody tells', async (test) => {
    fakeVirsh(test, 'error: not JSON');
    assert.deepEqual(await vcpuThreads({ pid, argv: ['qemu', '-name', 'guest=web'] }), new Map());
    assert.deepEqual(await vcpuThreads({ pid: 2 ** 22 + 1, argv: ['qemu'] }), new Map());
  });

  it('are not read from malformed answers', () => {
    const tasks = new Set([1, 2]);
    for (const answer of [undefined, {}, 'x', [7, null, {}], [{ 'cpu-index': '0', 'thread-id': 1 }]])
      assert.deepEqual(threadsIn(answer, tasks), new Map());
    for (const vcpu of [-1, 0.5, 1e9])
      assert.deepEqual(threadsIn([{ 'cpu-index': vcpu, 'thread-id': 1 }], tasks), new Map());
    for (const name of ['CPU 0', 'CPU x/KVM', 'xCPU 0/KVM', 'CPU 99999/KVM', 'ALL CPUs/TCG', ''])
      assert.equal(vcpuOfName(name), undefined, name);
  });

  it('belong to a domain by its name, never to an option', () => {
    assert.equal(domainOf(['qemu', '-name', 'guest=a b,debug-threads=on']), 'a b');
    assert.equal(domainOf(['qemu', '-name', 'guest=--help']), undefined);
    assert.equal(domainOf(['qemu', '-name', 'web']), undefined);
    assert.equal(domainOf(['guest=web']), undefined);
  });
});
