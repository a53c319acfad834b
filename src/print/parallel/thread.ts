/** A thread that prints parts of a report as it is told. */
import { parentPort, workerData } from 'node:worker_threads';
import type { ThreadSetup } from './messages.ts';
import { servePrinting } from './serve-printing.ts';

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- given by threads.ts
servePrinting(parentPort!, workerData as ThreadSetup);
