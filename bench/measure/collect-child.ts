/** Collects one FIFO into a file as `trace-host record` does, and prints the CPU seconds. Arguments: FIFO FILE BYTES. */
import { constants, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Collector } from '../../src/host/record/collector.ts';
import { WholeFile } from '../../src/trace/recording/raw-file.ts';

const [fifo = '', path = '', bytes = '0'] = process.argv.slice(2);
const fd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
const file = new WholeFile(path);
const before = process.cpuUsage();
const collector = new Collector();
collector.add({ fd, chardev: 'pipe', file, failed: ({ code }) => process.stderr.write(`${code}\n`) });
process.stdout.write('open\n');
while (file.receivedBytes < Number(bytes)) await sleep(50);
const { user, system } = process.cpuUsage(before);
await collector.close();
file.close();
process.stdout.write(`${(user + system) / 1e6}\n`);
