/**
 * `npm run guest [-- [DIR]]`: a shell in a test guest: in the one that a test kept in DIR, or in a fresh one with the
 * agent in its PATH. Each line runs with the guest's `/bin/sh -c`; at the end of the input a fresh guest is ended.
 */
import { createInterface } from 'node:readline/promises';
import { connect } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { codeOf } from '../src/base/error-code.ts';
import { exitCode, Failure } from '../src/base/failure.ts';
import { quoted } from '../src/base/quoted.ts';
import { GuestShell } from '../test/guest/harness/guest-shell.ts';
import { restoreGuest } from '../test/guest/harness/index.ts';
import { qemuFiles } from '../test/guest/harness/qemu.ts';
import { endWithFailure } from './end-with-failure.ts';

const patienceMs = 24 * 3600 * 1000;

async function kept(dir: string): Promise<{ shell: GuestShell; end: () => Promise<void> }> {
  const socket = connect(join(dir, qemuFiles.shell));
  try {
    await once(socket, 'connect');
  } catch (cause) {
    throw new Failure(
      exitCode.missing,
      `no guest is running in ${quoted(dir)}: ${codeOf(cause)}`,
      'use the directory that a failed test prints with --keep (npm run test:guest -- --keep PATTERN)',
      { cause },
    );
  }
  // the test's own shell counted up from 1, and so may later ones: start at an unused number
  const shell = new GuestShell(socket, Date.now() % 2 ** 31);
  return { shell, end: () => Promise.resolve(shell.close()) };
}

async function fresh() {
  const guest = await restoreGuest({ cpus: 2 });
  process.stdout.write(`guest with 2 CPUs; its ports are in ${join(guest.dir, 'ports')}\n`);
  return { shell: guest, end: () => guest.close() };
}

async function main([dir, ...more]: readonly string[]): Promise<void> {
  if (more.length > 0)
    throw new Failure(
      exitCode.usage,
      `expected one directory, got ${more.length + 1}`,
      'npm run guest -- DIR',
    );
  const { shell, end } = dir === undefined ? await fresh() : await kept(dir);
  const lines = createInterface({ input: process.stdin, output: process.stdout, prompt: 'guest# ' });
  lines.prompt();
  for await (const line of lines) {
    if (line.trim() !== '') {
      const command = await shell.spawn(line);
      command.endInput();
      const { code } = await command.wait(patienceMs);
      process.stdout.write(command.stdout + command.stderr);
      if (code !== 0) process.stdout.write(`exit code ${code}\n`);
    }
    lines.prompt();
  }
  await end();
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  endWithFailure('npm run guest', error);
}
