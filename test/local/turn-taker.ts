/**
 * A child for the tests: passes a worker's descriptors to an outlet, and moves pages of one number to it, until it
 * has moved as many as requested or is killed. Arguments: outlet, page size, page's first byte, number of pages,
 * and for frames their sync, the CPU and the bytes already sent.
 */
import { errno } from '../../src/native/error.ts';
import { heldBytes } from '../../src/native/io/pipe.ts';
import { write } from '../../src/native/io/transfer.ts';
import type { Lent, Outlet } from '../../src/protocol/ipc.ts';
import { makeOutlet } from '../../src/worker/make-outlet.ts';
import { anothersTurn } from '../../src/worker/shared-outlet.ts';

const [, , kind, pageText, firstText, countText, frameSync, cpuText = '0', outText = '0'] = process.argv;
const pageBytes = Number(pageText);
const lent: Lent = { ring: 3, pipeRead: 4, pipeWrite: 5, port: 6, ledger: 7, turn: 8 };
const account = { bytesOut: Number(outText), bytesLost: 0 };
const outlet = makeOutlet(
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the test's own argument
  { outlet: kind as Outlet, frameSync },
  lent,
  { cpu: Number(cpuText), pageBytes },
  account,
);
const page = new Uint8Array(pageBytes).fill(Number(firstText));

for (let count = 0; count < Number(countText); ) {
  const filled = 1 + (count % 7);
  if (heldBytes(lent.pipeRead) === 0) {
    for (let pages = 0; pages < filled; pages += 1) write(lent.pipeWrite, page);
    count += filled;
  }
  for (let held = heldBytes(lent.pipeRead); held > 0; held = heldBytes(lent.pipeRead)) {
    const moved = outlet.push(held);
    if (moved === anothersTurn || moved === -errno.EAGAIN) await new Promise(setImmediate);
    else if (moved < 0) throw new Error(`push: ${moved}`);
    else account.bytesOut += moved;
  }
  if (count % 100 < 8) process.send?.(count);
}
