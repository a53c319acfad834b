import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  createWriteStream,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Collector, Nowhere, type Stream, type StreamFault } from '../../../../src/host/record/collector.ts';
import { CappedFile, joinCapped, type RawFile, WholeFile } from '../../../../src/trace/recording/raw-file.ts';
import { makeMemory } from '../../../../src/native/ipc/shared-memory.ts';
import { connectUnix } from '../../../../src/native/ipc/unix-socket.ts';

const pageBytes = 4096;

describe('Collector', () => {
  let dir: string;
  let collector: Collector;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'virtio-trace-collector-'));
    collector = new Collector();
  });

  afterEach(async () => {
    await collector.close();
    rmSync(dir, { recursive: true, force: true });
  });

  function fifo(name: string): { readonly path: string; readonly fd: number } {
    const path = join(dir, name);
    execFileSync('mkfifo', [path]);
    return { path, fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK) };
  }

  function stream(
    fd: number,
    file: RawFile,
    chardev: Stream['chardev'] = 'pipe',
  ): Stream & { fault?: StreamFault } {
    const made: Stream & { fault?: StreamFault } = {
      fd,
      chardev,
      file,
      failed: (fault) => {
        made.fault = fault;
      },
    };
    collector.add(made);
    return made;
  }

  async function until(reached: () => boolean): Promise<void> {
    for (let tries = 0; !reached(); tries += 1) {
      assert.ok(tries < 1000, 'it does not come');
      await sleep(10);
    }
  }

  async function write(path: string, data: Uint8Array, chunkBytes: number): Promise<void> {
    const out = createWriteStream(path);
    for (let at = 0; at < data.length; at += chunkBytes) {
      if (!out.write(data.subarray(at, at + chunkBytes))) await once(out, 'drain');
    }
    out.end();
    await once(out, 'finish');
  }

  it('writes several FIFOs at once to files, whatever the chunk boundaries', async () => {
    const sizes = [3_000_000, 1, 777_777];
    const ways = sizes.map((size, index) => {
      const { path, fd } = fifo(`fifo${index}`);
      const file = new WholeFile(join(dir, `cpu${index}.raw`));
      stream(fd, file);
      return { path, file, data: randomBytes(size) };
    });
    await Promise.all(ways.map(({ path, data }, index) => write(path, data, [65_536, 1, 333][index] ?? 1)));
    await until(() => ways.every(({ file, data }) => file.receivedBytes === data.length));
    ways.forEach(({ file, data }, index) => {
      file.close();
      assert.ok(readFileSync(join(dir, `cpu${index}.raw`)).equals(data), `stream ${index}`);
    });
  });

  it('distinguishes a file that cannot be written from a port that failed, whatever the reason', async () => {
    const { path, fd } = fifo('fifo');
    // sealed, so that a write beyond its end fails with EPERM
    const sealed = makeMemory('collector-test', 4096);
    let receivedBytes = 0;
    const file: RawFile = {
      fd: sealed,
      roomBytes: 1 << 20,
      get receivedBytes() {
        return receivedBytes;
      },
      keptBytes: 0,
      took: (bytes) => {
        receivedBytes += bytes;
      },
      close: () => closeSync(sealed),
    };
    const made = stream(fd, file);
    await write(path, randomBytes(8192), 8192);
    await until(() => made.fault !== undefined);
    assert.deepEqual([made.fault, receivedBytes], [{ kind: 'file', code: 'EPERM' }, 4096]);
    file.close();
  });

  it('continues when the writer closes and another one opens', async () => {
    const { path, fd } = fifo('fifo');
    const file = new WholeFile(join(dir, 'cpu0.raw'));
    stream(fd, file);
    await write(path, Buffer.from('first '), 100);
    await until(() => file.receivedBytes === 6);
    await sleep(300);
    await write(path, Buffer.from('second'), 100);
    await until(() => file.receivedBytes === 12);
    file.close();
    assert.equal(readFileSync(join(dir, 'cpu0.raw'), 'utf8'), 'first second');
  });

  it('discards everything until its file is replaced', async () => {
    const { path, fd } = fifo('fifo');
    const nowhere = new Nowhere();
    const way = stream(fd, nowhere);
    await write(path, Buffer.from('stale'), 100);
    await until(() => nowhere.receivedBytes === 5);
    const file = new WholeFile(join(dir, 'cpu0.raw'));
    way.file = file;
    nowhere.close();
    await write(path, Buffer.from('fresh'), 100);
    await until(() => file.receivedBytes === 5);
    file.close();
    assert.equal(readFileSync(join(dir, 'cpu0.raw'), 'utf8'), 'fresh');
  });

  it('reads a socket too', async () => {
    const path = join(dir, 'port.socket');
    const data = randomBytes(2_500_000);
    const server = createServer((socket) => socket.end(data)).listen(path);
    await once(server, 'listening');
    const file = new WholeFile(join(dir, 'cpu0.raw'));
    stream(connectUnix(path), file, 'socket');
    await until(() => file.receivedBytes === data.length);
    file.close();
    server.close();
    assert.ok(readFileSync(join(dir, 'cpu0.raw')).equals(data));
  });

  it('keeps the newest pages of a capped file, each whole and once', async () => {
    const { path, fd } = fifo('fifo');
    const rawPath = join(dir, 'cpu0.raw');
    const capBytes = 8 * pageBytes;
    const file = new CappedFile(rawPath, capBytes);
    file.havePages(pageBytes);
    stream(fd, file);
    const pages = Array.from({ length: 21 }, (_, index) => Buffer.alloc(pageBytes, index + 1));
    await write(path, Buffer.concat(pages), 1000);
    await until(() => file.receivedBytes === 21 * pageBytes);
    file.close();
    const { keptBytes } = file;
    await joinCapped(rawPath);
    const kept = readFileSync(rawPath);
    assert.equal(kept.length, keptBytes);
    assert.ok(kept.length > 0 && kept.length <= capBytes);
    const newest = pages.slice(-kept.length / pageBytes);
    assert.ok(kept.equals(Buffer.concat(newest)), 'the last pages, in order');
    await joinCapped(rawPath);
    assert.equal(statSync(rawPath).size, keptBytes, 'joining again changes nothing');
  });
});
