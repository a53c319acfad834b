import { errnoName } from '../native/error.ts';
import type { Ledger } from '../protocol/ledger.ts';
import type { PumpIo } from './pump-io.ts';

/** Size of the page header (timestamp and commit word). It is never all zero in a page that was read. */
const pageHeaderBytes = 16;

/**
 * Moves one page, full or partial, through the stage into the empty pipe. Splice does not take the page that the kernel
 * is still writing to; a read of exactly one page does. The stage is shared memory, so a page is in the ring, the stage
 * or the pipe at every instruction, and a successor can tell which.
 * @returns bytes taken, or the negated errno of the read
 */
export function movePartialPage(io: PumpIo, ledger: Ledger): number {
  ledger.stage.fill(0, 0, pageHeaderBytes);
  ledger.staged = 1;
  const got = io.readPage();
  if (got > 0) {
    writeStage(io);
    ledger.bytesIn += got;
  }
  ledger.staged = 0;
  return got;
}

/**
 * Corrects the ledger after a predecessor was killed. The predecessor's last step may be missing from the ledger. The
 * pipe shows which step that was: if it holds more than the ledger says, it was being filled; if it holds less, it was
 * being emptied. A staged page that was read from the ring is already in the pipe, unless the pipe is empty.
 * @returns bytes in the pipe
 */
export function takeOver(io: PumpIo, ledger: Ledger): number {
  if (ledger.staged === 1) {
    const taken = ledger.stage.subarray(0, pageHeaderBytes).some((byte) => byte !== 0);
    if (taken && io.held() === 0) writeStage(io);
    ledger.staged = 0;
  }
  const held = io.held();
  const unaccounted = held - ledger.bytesHeld;
  if (unaccounted > 0) ledger.bytesIn += unaccounted;
  else ledger.bytesOut -= unaccounted;
  return held;
}

/** The pipe is empty and has room for at least 16 pages, so only a bug can make this fail. */
function writeStage(io: PumpIo): void {
  const put = io.writePage();
  if (put < 0) throw new Error(`a page into the empty pipe: ${errnoName(-put)}`);
}
