import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, exitCode } from '../../../src/base/failure.ts';
import { cached } from './cached.ts';
import { cacheDir, programsDir } from './paths.ts';
import { program } from './programs.ts';
import { tool } from './tool.ts';

/** A minimal Debian system, created by mmdebstrap, with little more than a kernel, systemd and udev. */
export interface DebianDisk {
  /** An ext4 file system; copy it before a guest writes to it. */
  readonly disk: string;
  /** bzImage, and the initramfs that Debian created for it. */
  readonly kernel: string;
  readonly initrd: string;
  readonly kernelVersion: string;
}

const packages = ['systemd-sysv', 'udev', 'linux-image-amd64'];
/** The modules, out of 350 MB, that a guest of this harness can use: the others would only delay the boot. */
const modules = [
  'fs/ext4/*',
  'fs/jbd2/*',
  'fs/mbcache.ko',
  'fs/autofs/*',
  'lib/*',
  'crypto/crc32c*',
  'drivers/virtio/*',
  'drivers/block/virtio_blk.ko',
  'drivers/char/*',
];
const diskMb = 1024;

/**
 * The Debian release of this machine, from the mirror that its apt uses, as a disk. Created once (two minutes and
 * 100 MB of downloads) and cached. Blocks.
 */
export function debianDisk(): DebianDisk {
  const dir = cached(`debian-disk-${diskHash()}`, (path) => {
    const root = debianRoot();
    mkdirSync(path);
    const work = mkdtempSync(join(cacheDir(), '.disk-'));
    try {
      // only root can create the archive's owners and device nodes, so otherwise fakeroot pretends to
      const pretend = process.getuid?.() === 0 ? [] : ['fakeroot'];
      const [shell, ...args] = [...pretend, 'sh', '-ec', makeDisk, 'sh', root, work, path, `${diskMb}M`];
      writeFileSync(join(work, 'fstab'), '/dev/vda / ext4 noatime 0 1\n');
      for (const name of ['harness-shell.service', '90-harness-shell.rules'])
        copyFileSync(join(programsDir, name), join(work, name));
      for (const name of ['shell-server', 'markers']) copyFileSync(program(name), join(work, name));
      tool(shell, args);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });
  const kernelVersion = readFileSync(join(dir, 'kernel-version'), 'utf8').trim();
  return {
    disk: join(dir, 'disk.img'),
    kernel: join(dir, 'vmlinuz'),
    initrd: join(dir, 'initrd.img'),
    kernelVersion,
  };
}

const makeDisk = `
tar=$1 work=$2 out=$3 size=$4
root=$work/root
mkdir "$root"
tar -C "$root" -xf "$tar"
install -m 755 "$work/shell-server" "$work/markers" "$root/usr/local/bin"
install -m 644 "$work/harness-shell.service" "$root/etc/systemd/system"
install -m 644 "$work/90-harness-shell.rules" "$root/etc/udev/rules.d"
install -m 644 "$work/fstab" "$root/etc"
echo guest >"$root/etc/hostname"
version=$(basename "$root"/lib/modules/*)
echo "$version" >"$out/kernel-version"
cp "$root/boot/vmlinuz-$version" "$out/vmlinuz"
cp "$root/boot/initrd.img-$version" "$out/initrd.img"
mke2fs -q -t ext4 -d "$root" "$out/disk.img" "$size"
chmod -R u+rwX "$root"
`;

/** Path of the system as a tar archive, cached separately, because the harness's own programs change more often. */
function debianRoot(): string {
  return cached(`debian-root-${rootHash()}.tar`, (path) => {
    const { suite, sources } = aptSources();
    const dpkg = ['doc', 'man', 'locale'].map((dir) => `path-exclude=/usr/share/${dir}/*`);
    dpkg.push('path-exclude=/lib/modules/*/kernel/*');
    dpkg.push(...modules.map((pattern) => `path-include=/lib/modules/*/kernel/${pattern}`));
    const args = ['--quiet', '--variant=minbase', `--include=${packages.join(',')}`, '--format=tar'];
    args.push(...dpkg.map((option) => `--dpkgopt=${option}`), suite, path, '-');
    tool('mmdebstrap', args, { input: sources });
  });
}

/** The release and mirror in this machine's apt configuration. */
function aptSources(): { readonly suite: string; readonly sources: string } {
  const target = (format: string): string[] => {
    const filters = ['Created-By: Packages', 'Origin: Debian'];
    const lines = tool('apt-get', ['indextargets', '--format', format, ...filters]).split('\n');
    return [...new Set(lines)].filter((line) => line !== '').sort();
  };
  const sources = target('deb $(REPO_URI) $(RELEASE) $(COMPONENT)');
  const [suite] = target('$(CODENAME)').sort((a, b) => a.length - b.length);
  if (suite === undefined) {
    throw new Failure(
      exitCode.missing,
      "this machine's apt knows no packages of Debian",
      'run apt-get update; the Debian guest is made on a Debian host only',
    );
  }
  return { suite, sources: `${sources.join('\n')}\n` };
}

function rootHash(): string {
  return hashOf([packages.join(), modules.join()]);
}

function diskHash(): string {
  const files = ['harness-shell.service', '90-harness-shell.rules', 'shell-server.c', 'markers.c'];
  const texts = files.map((name) => readFileSync(join(programsDir, name), 'utf8'));
  return hashOf([rootHash(), makeDisk, String(diskMb), ...texts]);
}

function hashOf(parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 16);
}
