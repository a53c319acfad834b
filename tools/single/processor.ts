/** Processors that executables and packages can be built for. */
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { exitCode, Failure } from '../../src/base/failure.ts';
import { quoted } from '../../src/base/quoted.ts';

/** As Node and npm name them. */
export type Processor = 'x64' | 'arm64';

/** Debian's name, and the prefix of its programs of GCC and binutils. */
const named: Readonly<Record<Processor, { readonly debian: string; readonly prefix: string }>> = {
  x64: { debian: 'amd64', prefix: 'x86_64-linux-gnu-' },
  arm64: { debian: 'arm64', prefix: 'aarch64-linux-gnu-' },
};

export function debianName(processor: Processor): string {
  return named[processor].debian;
}

/** The prefix of the programs of GCC and binutils that build for a processor from another one. */
export function crossPrefix(processor: Processor): string {
  return named[processor].prefix;
}

/** Whether it is this machine's. */
export function isOwn(processor: Processor): boolean {
  return process.arch === processor;
}

/** A program of binutils that reads files for a processor, and what to install if it is missing. */
export function binutil(name: string, processor: Processor): readonly [command: string, from: string] {
  if (isOwn(processor)) return [name, 'install binutils'];
  const prefix = crossPrefix(processor);
  return [prefix + name, `install binutils-${prefix.replace('_', '-').slice(0, -1)}`];
}

/** What to build. */
export interface Target {
  readonly processor: Processor;
  /** Absolute. */
  readonly dir: string;
}

/**
 * Reads the command line of a build: `[--arch x64|arm64] [DIR]`. Without DIR the results are in `dist`, and those for
 * another processor than this machine's in a directory of their own there.
 * @throws Failure (usage)
 */
export function targetOf(argv: readonly string[], root: string): Target {
  const { arch = process.arch, dir } = parsed(argv);
  if (arch !== 'x64' && arch !== 'arm64')
    throw new Failure(exitCode.usage, `cannot build for ${quoted(arch)}`, 'use --arch x64 or --arch arm64');
  const usual = isOwn(arch) ? join(root, 'dist') : join(root, 'dist', arch);
  return { processor: arch, dir: resolve(dir ?? usual) };
}

function parsed(argv: readonly string[]): {
  readonly arch: string | undefined;
  readonly dir: string | undefined;
} {
  try {
    const options = { arch: { type: 'string' } } as const;
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
    if (positionals.length > 1) throw new Error('more than one directory');
    return { arch: values.arch, dir: positionals[0] };
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new Failure(exitCode.usage, message, 'use [--arch x64|arm64] [DIR]', { cause });
  }
}
