import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { lookUpUser } from '../../../src/native/process/user.ts';
import { hostProgram } from './trace-host.ts';

/** libvirt's session daemon, which virsh starts. It refuses to run as root, so root runs it as nobody. */
export class Libvirt {
  readonly dir: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #as: { readonly uid: number; readonly gid: number } | undefined;

  constructor(context: TestContext) {
    this.dir = mkdtempSync(join(tmpdir(), 'vt-lv-'));
    this.#as = process.getuid?.() === 0 ? lookUpUser('nobody') : undefined;
    const homes = {
      HOME: 'home',
      XDG_RUNTIME_DIR: 'run',
      XDG_CONFIG_HOME: 'config',
      XDG_CACHE_HOME: 'cache',
    };
    for (const sub of ['', ...Object.values(homes)]) {
      const path = join(this.dir, sub);
      mkdirSync(path, { recursive: true, mode: 0o700 });
      if (this.#as !== undefined) chownSync(path, this.#as.uid, this.#as.gid);
    }
    const paths = Object.entries(homes).map(([name, sub]): [string, string] => [name, join(this.dir, sub)]);
    this.#env = { ...process.env, ...Object.fromEntries(paths), LIBVIRT_DEFAULT_URI: 'qemu:///session' };
    context.after(() => {
      this.run('virsh', 'destroy', 'vt');
      this.#endDaemon();
      rmSync(this.dir, { recursive: true, force: true });
    });
  }

  /** Ends the daemon that virsh started for this directory. */
  #endDaemon(): void {
    const file = join(this.dir, 'run', 'libvirt', 'libvirtd.pid');
    if (!existsSync(file)) return;
    // it still removes files while it exits
    const end = 'kill "$0"; while [ -d "/proc/$0" ]; do sleep 0.1; done';
    spawnSync('sh', ['-c', end, readFileSync(file, 'utf8').trim()], { timeout: 60_000 });
  }

  /** Connects whoever may open the daemon's socket; once virsh has started the daemon. */
  get uri(): string {
    return `qemu+unix:///session?socket=${join(this.dir, 'run', 'libvirt', 'libvirt-sock')}`;
  }

  run(command: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
    return spawnSync(command, args, {
      encoding: 'utf8',
      timeout: 300_000,
      env: this.#env,
      cwd: '/',
      ...this.#as,
    });
  }

  check(command: string, ...args: string[]): string {
    const { status, stdout, stderr } = this.run(command, ...args);
    assert.equal(status, 0, `${command} ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  traceHost(...args: string[]) {
    return this.run(process.execPath, hostProgram, ...args);
  }

  /** Defines a domain with these elements in addition to the required ones. */
  define(elements: string): void {
    const file = join(this.dir, 'domain.xml');
    writeFileSync(
      file,
      `<domain type='qemu'><name>vt</name><memory unit='MiB'>64</memory><vcpu>2</vcpu>
      <os><type arch='x86_64' machine='pc'>hvm</type></os>
      <devices><emulator>/usr/bin/qemu-system-x86_64</emulator>${elements}</devices></domain>`,
    );
    if (this.#as !== undefined) chownSync(file, this.#as.uid, this.#as.gid);
    this.check('virsh', 'define', file);
  }
}

/** The reason why no domain can run here; false if one can. */
export function withoutLibvirt(): string | false {
  if (spawnSync('virsh', ['--version']).error !== undefined)
    return 'virsh is missing: install libvirt-clients';
  if (!existsSync('/usr/sbin/libvirtd'))
    return 'libvirtd is missing: install libvirt-daemon, libvirt-daemon-driver-qemu';
  if (process.getuid?.() !== 0) return false;
  for (let path = hostProgram; path !== '/'; path = dirname(path)) {
    const nobody = spawnSync('test', [path === hostProgram ? '-r' : '-x', path], lookUpUser('nobody') ?? {});
    if (nobody.status !== 0) return `${path} is closed to nobody, whom libvirt's session must be run as`;
  }
  return false;
}
