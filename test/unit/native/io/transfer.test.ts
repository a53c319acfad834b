import assert from 'node:assert/strict';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { errno } from '../../../../src/native/error.ts';
import { Eventfd } from '../../../../src/native/wait/eventfd.ts';
import { duplicate, isAppending, setNonBlocking } from '../../../../src/native/io/files.ts';
import { heldBytes, makePipe, type Pipe, pipeBytes, setPipeBytes } from '../../../../src/native/io/pipe.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT, PollSet } from '../../../../src/native/wait/poll.ts';
import { read, splice, write } from '../../../../src/native/io/transfer.ts';

function withPipes(count: number, use: (...pipes: Pipe[]) => void): void {
  const pipes = Array.from({ length: count }, makePipe);
  try {
    use(...pipes);
  } finally {
    for (const { readEnd, writeEnd } of pipes) {
      closeSync(readEnd);
      closeSync(writeEnd);
    }
  }
}

describe('transfers', () => {
  it('splice moves the available bytes, then returns EAGAIN', () => {
    withPipes(2, (from, to) => {
      assert.ok(from !== undefined && to !== undefined);
      assert.equal(splice(from.readEnd, to.writeEnd, 4096), -errno.EAGAIN);
      writeSync(from.writeEnd, 'hello');
      assert.equal(splice(from.readEnd, to.writeEnd, 4096), 5);
      assert.equal(heldBytes(from.readEnd), 0);
      assert.equal(heldBytes(to.readEnd), 5);
      const got = new Uint8Array(8);
      assert.equal(read(to.readEnd, got), 5);
      assert.equal(Buffer.from(got.subarray(0, 5)).toString(), 'hello');
    });
  });

  it('splice into a full pipe returns EAGAIN and takes nothing', () => {
    withPipes(2, (from, to) => {
      assert.ok(from !== undefined && to !== undefined);
      while (write(to.writeEnd, new Uint8Array(4096)) > 0);
      writeSync(from.writeEnd, 'x');
      assert.equal(splice(from.readEnd, to.writeEnd, 4096), -errno.EAGAIN);
      assert.equal(heldBytes(from.readEnd), 1);
    });
  });

  it('splice does not block on pipes without O_NONBLOCK, which before 5.1 means all pipes', () => {
    withPipes(2, (from, to) => {
      assert.ok(from !== undefined && to !== undefined);
      const readEnd = openSync(`/proc/self/fd/${from.readEnd}`, constants.O_RDONLY);
      const writeEnd = openSync(`/proc/self/fd/${to.writeEnd}`, constants.O_WRONLY);
      try {
        assert.equal(splice(readEnd, writeEnd, 4096), -errno.EAGAIN);
        while (write(to.writeEnd, new Uint8Array(4096)) > 0);
        writeSync(from.writeEnd, 'x');
        assert.equal(splice(readEnd, writeEnd, 4096), -errno.EAGAIN);
      } finally {
        closeSync(readEnd);
        closeSync(writeEnd);
      }
    });
  });

  it('each returns the errno of its own call, not of an earlier one', () => {
    withPipes(1, (pipe) => {
      assert.ok(pipe !== undefined);
      assert.equal(read(-1, new Uint8Array(1)), -errno.EBADF);
      assert.equal(read(pipe.readEnd, new Uint8Array(1)), -errno.EAGAIN);
      assert.equal(write(pipe.readEnd, new Uint8Array(1)), -errno.EBADF);
    });
  });

  it('a pipe has the requested size', () => {
    withPipes(1, (pipe) => {
      assert.ok(pipe !== undefined);
      assert.equal(setPipeBytes(pipe.writeEnd, 65_536), 65_536);
      assert.equal(pipeBytes(pipe.writeEnd), 65_536);
      assert.equal(setPipeBytes(pipe.writeEnd, 524_288), 524_288);
      assert.equal(pipeBytes(pipe.writeEnd), 524_288);
    });
  });
});

describe('a poll', () => {
  it('finds the ready descriptors, and no others', async () => {
    const { readEnd, writeEnd } = makePipe();
    const set = new PollSet(2);
    set.set(0, readEnd, POLLIN);
    assert.equal(await set.wait(0), 0);
    writeSync(writeEnd, 'x');
    set.set(1, writeEnd, POLLOUT);
    assert.equal(await set.wait(-1), 2);
    assert.equal(set.found(0), POLLIN);
    assert.equal(set.found(1), POLLOUT);
    closeSync(writeEnd);
    set.clear(1);
    assert.equal(await set.wait(-1), 1);
    assert.equal(set.found(0), POLLIN | POLLHUP);
    assert.equal(set.found(1), 0);
    closeSync(readEnd);
  });

  it('reports that a pipe has no reader', async () => {
    const { readEnd, writeEnd } = makePipe();
    closeSync(readEnd);
    const set = new PollSet(1);
    set.set(0, writeEnd, POLLOUT);
    assert.equal(await set.wait(-1), 1);
    assert.equal(set.found(0) & POLLERR, POLLERR);
    closeSync(writeEnd);
  });

  it('ends at its timeout and not before, while the event loop runs', async () => {
    const { readEnd, writeEnd } = makePipe();
    const set = new PollSet(1);
    set.set(0, readEnd, POLLIN);
    let turns = 0;
    const ticker = setInterval(() => (turns += 1), 5);
    // on a busy machine a single wait may end without any turn; in a blocked event loop, all waits would
    for (let waits = 0; turns < 3; waits += 1) {
      assert.ok(waits < 20, 'the event loop stands');
      turns = 0;
      const fromMs = performance.now();
      assert.equal(await set.wait(80), 0);
      assert.ok(performance.now() - fromMs >= 79);
    }
    clearInterval(ticker);
    closeSync(readEnd);
    closeSync(writeEnd);
  });

  it('is woken by an eventfd, once for any number of signals', async () => {
    const eventfd = new Eventfd();
    const set = new PollSet(1);
    set.set(0, eventfd.fd, POLLIN);
    const wait = set.wait(10_000);
    eventfd.signal();
    eventfd.signal();
    assert.equal(await wait, 1);
    eventfd.clear();
    assert.equal(await set.wait(0), 0);
    eventfd.clear();
    closeSync(eventfd.fd);
  });
});

describe('open files', () => {
  it('report whether they append, and duplicates share position and flags', () => {
    const dir = mkdtempSync(join(tmpdir(), 'vt-files-'));
    const path = join(dir, 'file');
    const plain = openSync(path, 'w');
    const appending = openSync(path, 'a');
    assert.equal(isAppending(plain), false);
    assert.equal(isAppending(appending), true);
    const second = duplicate(plain);
    writeSync(plain, 'abc');
    writeSync(second, 'def');
    const got = new Uint8Array(8);
    const reading = openSync(path, 'r');
    assert.equal(read(reading, got), 6);
    for (const fd of [plain, appending, second, reading]) closeSync(fd);
    assert.throws(() => duplicate(second), { code: 'EBADF' });
    rmSync(dir, { recursive: true });
  });

  it('are made non-blocking and keep their other flags', () => {
    const dir = mkdtempSync(join(tmpdir(), 'vt-files-'));
    const fd = openSync(join(dir, 'file'), constants.O_RDWR | constants.O_CREAT | constants.O_APPEND);
    setNonBlocking(fd);
    assert.equal(isAppending(fd), true);
    closeSync(fd);
    rmSync(dir, { recursive: true });
  });
});
