import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before } from 'node:test';

const lockFile = '/tmp/virtio-trace-local-test.lock';

/**
 * To be called at the top of a test file: only one such file at a time runs on this machine, whoever started it, for
 * they share its CPUs and its tracefs. The kernel takes the lock back when this process ends, however it does.
 */
export function holdMachine(): void {
  let release = (): void => undefined;
  before(async () => {
    const holder = spawn('flock', [lockFile, 'sh', '-c', 'echo held; exec cat'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(holder.stdout, 'data');
    release = () => holder.stdin.end();
  });
  after(() => release());
}
