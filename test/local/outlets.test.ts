import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makePipe, type Pipe } from '../../src/native/io/pipe.ts';
import { makeMemory } from '../../src/native/ipc/shared-memory.ts';
import { write } from '../../src/native/io/transfer.ts';
import type { Outlet } from '../../src/protocol/ipc.ts';

const takerPath = fileURLToPath(new URL('turn-taker.js', import.meta.url));
const pageBytes = 4096;

/** A worker with its own pipe and the common outlet and turn file. */
function taker(outlet: Outlet, pipe: Pipe, out: number | Socket, turn: number, first: number, pages: number) {
  const args = [outlet, pageBytes, first, pages].map(String);
  const stdio = [
    'ignore',
    'inherit',
    'inherit',
    'ignore',
    pipe.readEnd,
    pipe.writeEnd,
    out,
    'ignore',
    turn,
    'ipc',
  ];
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the type of stdio knows no socket in such a list
  return fork(takerPath, args, { stdio: stdio as ('ignore' | 'inherit' | 'ipc' | number)[] });
}

async function exitCodeOf(child: ChildProcess): Promise<unknown> {
  const [code] = await once(child, 'exit');
  return code;
}

/** Number of whole pages by page number; fails on a page with bytes of two. */
function pagesOf(bytes: Uint8Array): Map<number, number> {
  const counts = new Map<number, number>();
  assert.equal(bytes.byteLength % pageBytes, 0, 'a torn page at the end');
  for (let from = 0; from < bytes.byteLength; from += pageBytes) {
    const page = bytes.subarray(from, from + pageBytes);
    const number = page[0] ?? 0;
    assert.ok(
      page.every((byte) => byte === number),
      `page ${from / pageBytes} is torn`,
    );
    counts.set(number, (counts.get(number) ?? 0) + 1);
  }
  return counts;
}

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'vt-outlet-'));
});
after(() => rmSync(dir, { recursive: true }));

describe('workers that share one file', () => {
  for (const [outlet, flags] of [
    ['shared', 'w'],
    ['copied', 'a'],
  ] as const) {
    it(`take turns, and no page is torn or overwritten: ${outlet}`, async () => {
      const path = join(dir, outlet);
      const out = openSync(path, flags);
      const turn = makeMemory('turn', 1);
      const pipes = [makePipe(), makePipe()];
      const children = pipes.map((pipe, index) => taker(outlet, pipe, out, turn, index + 1, 2000));
      assert.deepEqual(await Promise.all(children.map(exitCodeOf)), [0, 0]);
      const counts = pagesOf(readFileSync(path));
      for (const count of [counts.get(1), counts.get(2)]) assert.ok(count !== undefined && count >= 2000);
      assert.equal((counts.get(1) ?? 0) + (counts.get(2) ?? 0), statSync(path).size / pageBytes);
      for (const fd of [out, turn, ...pipes.flatMap((pipe) => [pipe.readEnd, pipe.writeEnd])]) closeSync(fd);
    });
  }

  it('continue when one is killed; its successor loses and duplicates nothing', async () => {
    const path = join(dir, 'killed');
    const out = openSync(path, 'w');
    const turn = makeMemory('turn', 1);
    const pipes = [makePipe(), makePipe()] as const;
    const survivor = taker('shared', pipes[0], out, turn, 1, 3000);
    const survived = exitCodeOf(survivor);
    for (let kills = 0; kills < 5; kills += 1) {
      const victim = taker('shared', pipes[1], out, turn, 2, 1_000_000);
      await once(victim, 'message');
      victim.kill('SIGKILL');
      await once(victim, 'exit');
    }
    assert.equal(await exitCodeOf(taker('shared', pipes[1], out, turn, 3, 70)), 0);
    assert.equal(await survived, 0);
    const counts = pagesOf(readFileSync(path));
    assert.ok((counts.get(1) ?? 0) >= 3000);
    assert.ok((counts.get(3) ?? 0) >= 70);
    for (const fd of [out, turn, ...pipes.flatMap((pipe) => [pipe.readEnd, pipe.writeEnd])]) closeSync(fd);
  });
});

describe('a worker that is killed within a page', () => {
  it('leaves a successor that completes the page and releases the turn', { timeout: 120_000 }, async () => {
    const socketPath = join(dir, 'socket');
    const server = createServer({ pauseOnConnect: true });
    await new Promise<void>((resolve) => {
      server.listen(socketPath, resolve);
    });
    let reader: Socket | undefined;
    server.on('connection', (socket) => (reader = socket));
    const accepted = once(server, 'connection');
    const client = connect(socketPath);
    await once(client, 'connect');
    await accepted;
    assert.ok(reader !== undefined);
    const turn = makeMemory('turn', 1);
    const [killed, other] = [makePipe(), makePipe()];
    // A pipe with the rest of a page, as left by a splice to a full socket.
    const rest = new Uint8Array(1000).fill(2);
    assert.equal(write(killed.writeEnd, rest), 1000);
    const received: Buffer[] = [];
    reader.on('data', (bytes: Buffer) => received.push(bytes));
    reader.resume();
    const successor = taker('shared', killed, client, turn, 2, 1_000_000);
    await once(successor, 'message');
    // The successor continues forever, and the other worker still gets its turns.
    assert.equal(await exitCodeOf(taker('shared', other, client, turn, 1, 10)), 0);
    successor.kill('SIGKILL');
    await once(successor, 'exit');
    client.destroy();
    await once(reader, 'close');
    const whole = Buffer.concat(received).subarray(rest.byteLength);
    const counts = pagesOf(whole.subarray(0, whole.byteLength - (whole.byteLength % pageBytes)));
    assert.ok((counts.get(1) ?? 0) >= 10);
    server.close();
    for (const fd of [turn, killed.readEnd, killed.writeEnd, other.readEnd, other.writeEnd]) closeSync(fd);
  });
});
