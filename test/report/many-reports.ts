import { once } from 'node:events';
import { traceHost } from '../../src/cli/host/trace-host.ts';

/**
 * Runs `trace-host` with each of several argument lists, given as JSON, in one process: starting one for each report would
 * take most of the time. Prints a line with the exit status and the length of each output, and the output.
 */
const [, , lists = '[]'] = process.argv;
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the test has written it
const all = JSON.parse(lists) as string[][];

const write = process.stdout.write.bind(process.stdout);
process.stdout.setMaxListeners(0);
process.stderr.setMaxListeners(0);
for (const args of all) {
  const pieces: Buffer[] = [];
  process.stdout.write = (piece: string | Uint8Array, ...rest: unknown[]): boolean => {
    pieces.push(Buffer.from(piece));
    const done = rest.findLast((each) => typeof each === 'function');
    if (done !== undefined) Reflect.apply(done, undefined, []);
    return true;
  };
  process.exitCode = 0;
  await traceHost(args);
  const output = Buffer.concat(pieces);
  if (!write(`${process.exitCode} ${output.length}\n`) || !write(output)) await once(process.stdout, 'drain');
}
process.exitCode = 0;
