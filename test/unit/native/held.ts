/** A child for the tests: does what its first argument says with descriptor 3, reports it, and waits to be killed. */
import { setTimeout as wait } from 'node:timers/promises';
import { pinProcess } from '../../../src/native/process/affinity.ts';
import { tryLock } from '../../../src/native/io/file-lock.ts';

const [, , what, cpu] = process.argv;
if (what === 'lock') process.send?.(tryLock(3));
if (what === 'pin') {
  pinProcess(Number(cpu));
  process.send?.(true);
}
await wait(120_000);
