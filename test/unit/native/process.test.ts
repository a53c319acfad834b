import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, ftruncateSync, readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { affinityOf, cpusOf, maskOf, pinProcess } from '../../../src/native/process/affinity.ts';
import { clockNs } from '../../../src/native/clock.ts';
import { x86Tsc } from '../../../src/native/tsc.ts';
import { errno, errnoName, NativeError } from '../../../src/native/error.ts';
import { tryLock, unlock } from '../../../src/native/io/file-lock.ts';
import { makeMemory, mapMemory } from '../../../src/native/ipc/shared-memory.ts';
import { lookUpUser } from '../../../src/native/process/user.ts';

const heldPath = fileURLToPath(new URL('held.js', import.meta.url));

/** Starts the child and waits for its answer. */
async function held(fd: number | 'ignore', ...args: string[]): Promise<[ChildProcess, unknown]> {
  const child = fork(heldPath, args, { stdio: ['ignore', 'inherit', 'inherit', fd, 'ipc'] });
  const [answer] = await once(child, 'message');
  return [child, answer];
}

async function kill(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

describe('affinity', () => {
  it('masks have one bit, whole longs and enough size', () => {
    for (const cpu of [0, 7, 8, 63, 64, 1023, 1024, 5000]) {
      const mask = maskOf(cpu);
      assert.deepEqual(cpusOf(mask), [cpu]);
      assert.ok(mask.byteLength >= 128 && mask.byteLength % 8 === 0 && mask.byteLength * 8 > cpu);
    }
    assert.equal(maskOf(1023).byteLength, 128);
    assert.equal(maskOf(1024).byteLength, 136);
  });

  it('equals that in /proc', () => {
    const list = /Cpus_allowed_list:\s*(.*)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
    const cpus = list.split(',').flatMap((range) => {
      const [first = 0, last = first] = range.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
    assert.deepEqual(affinityOf(0), cpus);
  });

  it('pins every thread of a process', async () => {
    const cpu = affinityOf(0).at(-1) ?? 0;
    const [child] = await held('ignore', 'pin', String(cpu));
    const tids = readdirSync(`/proc/${child.pid}/task`);
    const allowed = tids.map((tid) => affinityOf(Number(tid)));
    await kill(child);
    assert.ok(tids.length > 4, 'Node has threads of its own');
    assert.deepEqual(
      allowed,
      tids.map(() => [cpu]),
    );
  });

  it('refuses a CPU that does not exist, also beyond 1,024', () => {
    const before = affinityOf(0);
    for (const cpu of [1023, 5000]) assert.throws(() => pinProcess(cpu), { code: 'EINVAL' });
    assert.deepEqual(affinityOf(0), before);
  });

  it('of a thread that does not exist is an error with its name', () => {
    assert.throws(() => affinityOf(0x7fff_fffe), { code: 'ESRCH', call: 'sched_getaffinity' });
  });
});

describe('a lock on a file', () => {
  it('excludes another process until its holder releases it or dies', async () => {
    const fd = makeMemory('lock-test', 1);
    assert.equal(tryLock(fd), true);
    assert.equal(tryLock(fd), true, 'its holder has it still');
    const [loser, lost] = await held(fd, 'lock');
    assert.equal(lost, false);
    await kill(loser);
    unlock(fd);
    const [winner, won] = await held(fd, 'lock');
    assert.equal(won, true);
    assert.equal(tryLock(fd), false);
    await kill(winner);
    assert.equal(tryLock(fd), true);
    closeSync(fd);
  });
});

describe('shared memory', () => {
  it('has the same bytes in each mapping, and its size is sealed', () => {
    const fd = makeMemory('memory-test', 8192);
    const one = mapMemory(fd, 8192);
    const other = mapMemory(fd, 8192);
    new Uint8Array(one.buffer)[8191] = 42;
    assert.equal(new Uint8Array(other.buffer)[8191], 42);
    assert.throws(() => ftruncateSync(fd, 4096), { code: 'EPERM' });
    assert.throws(() => ftruncateSync(fd, 16_384), { code: 'EPERM' });
    one.unmap();
    assert.equal(new Uint8Array(other.buffer)[8191], 42);
    other.unmap();
    closeSync(fd);
  });

  it('throws if it does not exist', () => {
    assert.throws(() => mapMemory(-1, 4096), { code: 'EBADF', call: 'mmap' });
  });
});

describe('system lookups return', () => {
  it('users by name', () => {
    assert.deepEqual(lookUpUser('root'), { uid: 0, gid: 0 });
    const [, uid, gid] = /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8')) ?? [];
    if (uid !== undefined) assert.deepEqual(lookUpUser('nobody'), { uid: Number(uid), gid: Number(gid) });
    assert.equal(lookUpUser('no-such-user-here'), undefined);
    assert.equal(lookUpUser(''), undefined);
  });

  it('clocks in nanoseconds', () => {
    const realMs = Date.now();
    const real = clockNs('realtime');
    assert.ok(real >= BigInt(realMs) * 1_000_000n && real < BigInt(realMs + 60_000) * 1_000_000n);
    const uptimeS = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
    assert.ok(Math.abs(Number(clockNs('boottime')) / 1e9 - uptimeS) < 60);
    assert.ok(clockNs('monotonicRaw') < clockNs('monotonicRaw'));
  });

  it('the TSC of x86-64, which goes on at a constant rate', () => {
    const [first, since] = [x86Tsc(), clockNs('monotonicRaw')];
    assert.equal(first !== undefined, process.arch === 'x64');
    if (first === undefined) return;
    while (clockNs('monotonicRaw') - since < 20_000_000n);
    const last = x86Tsc() ?? 0n;
    const gigahertz = Number(last - first) / Number(clockNs('monotonicRaw') - since);
    assert.ok(gigahertz > 0.1 && gigahertz < 20, `${gigahertz}`);
  });

  it('errors by their usual names', () => {
    assert.equal(errnoName(errno.EAGAIN), 'EAGAIN');
    assert.equal(errnoName(4095), 'E4095');
    const error = new NativeError('open(x)', errno.EBUSY);
    assert.equal(error.message, 'open(x): EBUSY');
    assert.equal(error.code, 'EBUSY');
  });
});
