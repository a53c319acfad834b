import { after, before } from 'node:test';
import { holdLock } from '../../file-lock.ts';

const lockFile = '/tmp/virtio-trace-local-test.lock';

/**
 * Call this at the top of a test file: only one such file runs on this machine at a time, in whatever checkout,
 * because they share its CPUs and its tracefs.
 */
export function holdMachine(): void {
  let release = (): void => undefined;
  before(async () => {
    release = await holdLock(lockFile);
  });
  after(() => release());
}
