import { after, before } from 'node:test';
import { holdLock } from '../../file-lock.ts';

const lockFile = '/tmp/virtio-trace-local-test.lock';

/**
 * To be called at the top of a test file: only one such file at a time runs on this machine, whoever started it, for
 * they share its CPUs and its tracefs.
 */
export function holdMachine(): void {
  let release = (): void => undefined;
  before(async () => {
    release = await holdLock(lockFile);
  });
  after(() => release());
}
