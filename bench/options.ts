import { parseArgs } from 'node:util';
import { exitCode, Failure } from '../src/base/failure.ts';
import type { Extent } from './benchmark.ts';
import type { MachineKind } from './machine/machine.ts';

export interface BenchOptions {
  /** Empty: all. */
  readonly names: readonly string[];
  readonly machines: readonly MachineKind[];
  readonly extent: Extent;
  readonly json: string | undefined;
  /** Only print the usage. */
  readonly help: boolean;
}

export const usage = `npm run bench -- [NAME...] [--native] [--guest] [--small] [--json FILE] [--rounds N] [--rate MB|max]...

  NAME      cost, slowdown, memory, latency, growth, replacement, collect, reading, export, large, clock, host, explain,
            timeline, page; default all
  --native  on this machine only; --guest: in a QEMU guest only
  --small   check in a minute that everything works, without measuring much
  --json    also write the results to FILE, replacing older ones of the same benchmarks
  --rounds  number of runs of each side
  --rate    MB/s of markers on each CPU; default 10, 40, 100 and max (as fast as possible)`;

/** @throws Failure (usage) for invalid options */
export function parseBenchOptions(args: readonly string[], known: readonly string[]): BenchOptions {
  const { values, positionals } = parse(args);
  const stranger = positionals.find((name) => !known.includes(name));
  if (stranger !== undefined) throw new Failure(exitCode.usage, `unknown benchmark ${stranger}`, usage);
  const { small = false, native = false, guest = false, help = false } = values;
  const both: readonly MachineKind[] = ['native', 'guest'];
  return {
    names: positionals,
    machines: native === guest ? both : [native ? 'native' : 'guest'],
    extent: {
      small,
      rounds: values.rounds === undefined ? (small ? 1 : 5) : number(values.rounds),
      seconds: small ? 0.5 : 3,
      rates:
        values.rate?.map((rate) => (rate === 'max' ? undefined : number(rate))) ??
        (small ? [10] : [10, 40, 100, undefined]),
    },
    json: values.json,
    help,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        small: { type: 'boolean' },
        native: { type: 'boolean' },
        guest: { type: 'boolean' },
        json: { type: 'string' },
        rounds: { type: 'string' },
        rate: { type: 'string', multiple: true },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (cause) {
    throw new Failure(exitCode.usage, cause instanceof Error ? cause.message : String(cause), usage, {
      cause,
    });
  }
}

function number(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Failure(exitCode.usage, `${text} is not a number above 0`, usage);
  return value;
}
