import { errnoName } from '../native/error.ts';
import type { Ledger } from '../protocol/ledger.ts';
import type { PumpIo } from './pump-io.ts';

/** Timestamp and commit word: never all zero in a page that was read. */
const pageHeaderBytes = 16;

/**
 * Takes one page, full or not, through the stage into the empty pipe. Splice leaves the page being written in the
 * ring; a read of exactly one page takes it. The stage is shared memory, so a page is in the ring, the stage or the
 * pipe at every instruction, and a successor can tell which.
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
 * Puts the ledger right after a predecessor that was killed. Its last step may not be in the ledger yet, and there is
 * only one that it can have been: with more in the pipe than accounted for it filled, with less it emptied. A staged
 * page that was taken from the ring is in the pipe already unless that is empty.
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

/** The pipe is empty and has room for 16 pages and more, so nothing but a bug can fail here. */
function writeStage(io: PumpIo): void {
  const put = io.writePage();
  if (put < 0) throw new Error(`a page into the empty pipe: ${errnoName(-put)}`);
}
