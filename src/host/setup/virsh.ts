import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { codeOf } from '../../error-code.ts';
import { exitCode, Failure } from '../../failure.ts';
import { printable } from '../../quoted.ts';

const timeoutMs = 30_000;
const maxOutputBytes = 16 * 1024 * 1024;

/**
 * Runs virsh, which finds libvirt by LIBVIRT_DEFAULT_URI or as its user is used to.
 * @returns its stdout
 * @throws Failure: missing without virsh, failed in virsh's own words
 */
export async function virsh(...args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    // words that are read must be those of the C locale
    const env = { ...process.env, LC_ALL: 'C' };
    const options = { timeout: timeoutMs, maxBuffer: maxOutputBytes, env };
    execFile('virsh', args, options, (cause, stdout, stderr) => {
      if (cause === null) resolve(stdout);
      else if (codeOf(cause) === 'ENOENT')
        reject(new Failure(exitCode.missing, 'there is no virsh', 'install libvirt-clients', { cause }));
      else {
        const said = printable(
          stderr
            .trim()
            .replace(/^error: /, '')
            .replaceAll(/\s*\n(error: )?/g, '; '),
        );
        const message = `virsh ${args[0]}: ${said === '' ? `no end within ${timeoutMs / 1000} s` : said}`;
        reject(
          new Failure(exitCode.failed, message, 'see virsh list --all, and LIBVIRT_DEFAULT_URI', { cause }),
        );
      }
    });
  });
}

/** Runs virsh with a file of this text as an argument: `attach-device DOMAIN <file> …`. */
export async function virshWithFile(
  command: string,
  domain: string,
  xml: string,
  ...options: string[]
): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'trace-host-'));
  try {
    const file = join(dir, 'device.xml');
    await writeFile(file, xml, { mode: 0o600 });
    await virsh(command, domain, file, ...options);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
