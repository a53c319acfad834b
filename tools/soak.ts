/**
 * Runs the agent in a guest for minutes under moderate load, with kills and pauses mixed in:
 *
 *     npm run soak [-- --minutes N] [--cpus N]
 *
 * Exits with 0 if every marker arrived once and in order, and neither memory nor descriptors grew; otherwise reports what failed.
 */
import { parseArgs } from 'node:util';
import { soak } from '../test/guest/support/soak.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    cpus: { type: 'string', default: '2' },
  },
});
const minutes = Number(values.minutes);
const cpus = Number(values.cpus);
if (!(minutes > 0) || !Number.isInteger(cpus) || cpus < 1) {
  process.stderr.write('usage: npm run soak [-- --minutes N] [--cpus N]\n');
  process.exit(2);
}
await soak({ minutes, cpus, say: (line) => process.stdout.write(`${line}\n`) });
