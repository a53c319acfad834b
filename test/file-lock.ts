import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Waits until no other process holds this lock, and holds it. The kernel releases it when this process ends,
 * however it ends. @returns a function that releases the lock
 */
export async function holdLock(file: string): Promise<() => void> {
  const holder = spawn('flock', [file, 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  return () => holder.stdin.end();
}
