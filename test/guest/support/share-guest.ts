import { after, afterEach, beforeEach } from 'node:test';

/** A guest, or what includes one. */
interface Shared {
  /** Whether QEMU still runs. */
  readonly running: boolean;
  close(): Promise<void>;
}

/**
 * Gives the tests of the suite that calls this one guest, by `use` before each test. After a test that failed the next
 * one gets another guest: the failed test may have left a recording in it, or the guest may have panicked. So what
 * fails a test fails no other. The guest is closed at the end of the suite.
 */
export function shareGuest<S extends Shared>(restore: () => Promise<S>, use: (shared: S) => void): void {
  let shared: S | undefined;
  const close = async (): Promise<void> => {
    const old = shared;
    shared = undefined;
    await old?.close();
  };
  beforeEach(async () => {
    if (shared?.running === false) await close();
    shared ??= await restore();
    use(shared);
  });
  afterEach(async (context) => {
    if (!('passed' in context && context.passed === true)) await close();
  });
  after(close);
}
