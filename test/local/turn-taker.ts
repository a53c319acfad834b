/**
 * A child for the tests: lends a worker's descriptors to an outlet, and moves pages of one number to it, until it
 * has moved as many as told or is killed. Arguments: outlet, page size, page's first byte, number of pages, and for frames
 * their sync, the CPU and where the account stands.
 */
import { errno } from '../../src/native/error.ts';
import { heldBytes } from '../../src/native/pipe.ts';
import { write } from '../../src/native/transfer.ts';
import { inherited, type Outlet } from '../../src/protocol/ipc.ts';
import { makeOutlet } from '../../src/worker/outlet.ts';
import { anothersTurn } from '../../src/worker/shared-outlet.ts';

const [, , kind, pageText, firstText, countText, frameSync, cpuText = '0', outText = '0'] = process.argv;
const pageBytes = Number(pageText);
const setup = {
  cpu: Number(cpuText),
  pageBytes,
  pipePages: 16,
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the test's own argument
  outlet: kind as Outlet,
  flushIntervalMs: 0,
  stopTimeoutMs: 0,
  identity: undefined,
  frameSync,
};
const account = { bytesOut: Number(outText), bytesLost: 0 };
const outlet = makeOutlet(setup, account);
const page = new Uint8Array(pageBytes).fill(Number(firstText));

for (let count = 0; count < Number(countText); ) {
  const filled = 1 + (count % 7);
  if (heldBytes(inherited.pipeRead) === 0) {
    for (let pages = 0; pages < filled; pages += 1) write(inherited.pipeWrite, page);
    count += filled;
  }
  for (let held = heldBytes(inherited.pipeRead); held > 0; held = heldBytes(inherited.pipeRead)) {
    const moved = outlet.push(held);
    if (moved === anothersTurn || moved === -errno.EAGAIN) await new Promise(setImmediate);
    else if (moved < 0) throw new Error(`push: ${moved}`);
    else account.bytesOut += moved;
  }
  if (count % 100 < 8) process.send?.(count);
}
