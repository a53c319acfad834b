import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Waits until no other process holds this lock, and holds it. The kernel takes it back when this process ends, however
 * it does. @returns releases it
 */
export async function holdLock(file: string): Promise<() => void> {
  const holder = spawn('flock', [file, 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  return () => holder.stdin.end();
}
