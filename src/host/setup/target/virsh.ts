import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { codeOf } from '../../../base/error-code.ts';
import { exitCode, Failure } from '../../../base/failure.ts';
import { printable, quoted } from '../../../base/quoted.ts';

const timeoutMs = 30_000;
const maxOutputBytes = 16 * 1024 * 1024;

/**
 * Runs virsh, which finds libvirt by LIBVIRT_DEFAULT_URI or its default.
 * @returns its stdout
 * @throws Failure: missing without virsh, libvirt or the domain, not permitted; otherwise failed, with virsh's own
 * message
 */
export async function virsh(...args: readonly string[]): Promise<string> {
  return virshWithin(timeoutMs, ...args);
}

/** The same, with another time limit. */
export async function virshWithin(timeoutMs: number, ...args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    // messages are parsed, so use the C locale
    const env = { ...process.env, LC_ALL: 'C' };
    const options = { timeout: timeoutMs, maxBuffer: maxOutputBytes, env };
    execFile('virsh', args, options, (cause, stdout, stderr) => {
      if (cause === null) resolve(stdout);
      else if (codeOf(cause) === 'ENOENT')
        reject(new Failure(exitCode.missing, 'virsh is not installed', 'install libvirt-clients', { cause }));
      else {
        const said = printable(
          stderr
            .trim()
            .replace(/^error: /, '')
            .replaceAll(/\s*\n(error: )?/g, '; '),
        );
        reject(failureOf(args, said || `not finished within ${timeoutMs / 1000} s`, cause));
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

/** virsh exits with 1 for any error; its messages in the C locale tell which. */
function failureOf([command = '', domain = '']: readonly string[], said: string, cause: Error): Failure {
  const refused = /^failed to connect to the hypervisor; (.*)$/.exec(said)?.[1];
  if (refused !== undefined) {
    const permission = /permission denied|authentication/i.test(refused);
    return new Failure(
      permission ? exitCode.notPermitted : exitCode.missing,
      `cannot connect to libvirt: ${refused}`,
      permission
        ? 'run as root or as a member of the group libvirt'
        : 'start libvirtd (systemctl start libvirtd), or set LIBVIRT_DEFAULT_URI',
      { cause },
    );
  }
  if (said.startsWith('failed to get domain'))
    return new Failure(exitCode.missing, `libvirt has no domain ${quoted(domain)}`, 'see virsh list --all', {
      cause,
    });
  const message = `virsh ${command}: ${said}`;
  return new Failure(exitCode.failed, message, 'see virsh list --all, and LIBVIRT_DEFAULT_URI', { cause });
}
