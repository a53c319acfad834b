#!/usr/bin/env node
/**
 * Prepares a fresh checkout (npm packages, build, what tests need on the machine), then runs a command.
 *
 *     node tools/bootstrap.mjs [--local] [--guest] [--arm64] -- COMMAND [ARGUMENT...]
 *
 * `--local`: for tests on this machine's tracefs; `--guest`: for those in a QEMU guest; `--arm64`: for those with
 * another processor, and to build for it. As root it installs and mounts what is missing; otherwise it prints what to
 * do and exits with 3. The exit code is that of the command.
 * Plain JavaScript without dependencies, because nothing is installed or built yet when it runs.
 */
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const missingExit = 3;
const usage = 'usage: node tools/bootstrap.mjs [--local] [--guest] [--arm64] -- COMMAND [ARGUMENT...]';

/** Debian packages, and how to detect each: a command or path, any of which is enough. */
const compiler = {
  gcc: ['gcc'],
  'libc6-dev': ['/usr/lib/x86_64-linux-gnu/libc.a', '/usr/lib/libc.a', '/usr/lib64/libc.a'],
};
const packages = {
  local: {
    ...compiler,
    bash: ['bash'],
    bsdutils: ['script'],
    chromium: ['chromium'],
    fish: ['fish'],
    'groff-base': ['groff'],
    kernelshark: ['kernelshark'],
    'libjson-c-dev': ['/usr/include/json-c/json.h'],
    'libkshark-dev': ['/usr/include/kernelshark/libkshark.h'],
    lintian: ['lintian'],
    'libvirt-clients': ['virt-xml-validate'],
    'man-db': ['man'],
    mandoc: ['mandoc'],
    'protobuf-compiler': ['protoc'],
    socat: ['socat'],
    'trace-cmd': ['trace-cmd'],
    'util-linux': ['setpriv'],
    xvfb: ['Xvfb'],
    zsh: ['zsh'],
  },
  guest: {
    ...compiler,
    binutils: ['objdump'],
    chromium: ['chromium'],
    cpio: ['cpio'],
    e2fsprogs: ['mke2fs', '/sbin/mke2fs'],
    fakeroot: ['fakeroot'],
    'qemu-system-x86': ['qemu-system-x86_64'],
    'libvirt-clients': ['virsh', 'virt-xml-validate'],
    'libvirt-daemon': ['libvirtd'],
    'libvirt-daemon-driver-qemu': [
      '/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so',
    ],
    'libxml2-utils': ['xmllint'],
    mmdebstrap: ['mmdebstrap'],
    seabios: ['/usr/share/seabios/bios-256k.bin', '/usr/share/qemu/bios-256k.bin'],
    'trace-cmd': ['trace-cmd'],
    'util-linux': ['setpriv'],
    'xz-utils': ['xz'],
  },
  arm64: {
    'binutils-aarch64-linux-gnu': ['aarch64-linux-gnu-strip'],
    'gcc-aarch64-linux-gnu': ['aarch64-linux-gnu-gcc'],
    'libc6-dev-arm64-cross': [
      '/usr/aarch64-linux-gnu/lib/libc.a',
      '/usr/aarch64-linux-gnu/sys-root/usr/lib/libc.a',
    ],
    'qemu-system-arm': ['qemu-system-aarch64'],
  },
};

function say(text) {
  process.stderr.write(`bootstrap: ${text}\n`);
}

function stop(code, text) {
  say(text);
  process.exit(code);
}

function onPath(command) {
  return (process.env.PATH ?? '').split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function isThere(sign) {
  return sign.startsWith('/') ? existsSync(sign) : onPath(sign);
}

function parse(args) {
  const end = args.indexOf('--');
  const flags = end < 0 ? args : args.slice(0, end);
  const command = end < 0 ? [] : args.slice(end + 1);
  const known = ['--local', '--guest', '--arm64'];
  const unknown = flags.find((flag) => !known.includes(flag));
  if (unknown !== undefined) stop(2, `unknown option ${unknown}\n${usage}`);
  if (command.length === 0) stop(2, usage);
  const [local, guest, arm64] = known.map((flag) => flags.includes(flag));
  return { local, guest, arm64, command };
}

/** Runs a step; its output is printed only if it fails. */
function step(why, command, args, env = {}) {
  say(`${[command, ...args].join(' ')} (${why})`);
  const done = spawnSync(command, args, { cwd: root, encoding: 'utf8', env: { ...process.env, ...env } });
  if (done.error !== undefined) stop(1, `${command}: ${done.error.message}`);
  if (done.status === 0) return;
  process.stderr.write(done.stdout + done.stderr);
  stop(1, `${[command, ...args].join(' ')} failed`);
}

function npmPackages() {
  const installed = join(root, 'node_modules/.package-lock.json');
  const install = ['ci', '--no-audit', '--no-fund'];
  if (!existsSync(installed)) step('node_modules is missing', 'npm', install);
  else if (statSync(installed).mtimeMs < statSync(join(root, 'package-lock.json')).mtimeMs) {
    step('package-lock.json is newer than node_modules', 'npm', install);
  }
}

function debianPackages(wanted, needsKernel) {
  const missing = Object.keys(wanted).filter((name) => !wanted[name].some(isThere));
  // the test harness downloads the guest's kernel, for which it needs apt's package lists
  const lists =
    needsKernel && process.env.GUEST_KERNEL === undefined && onPath('apt-cache') && !aptKnowsKernel();
  if (missing.length === 0 && !lists) return;
  const install = ['install', '-y', '-q', '--no-install-recommends', ...missing];
  const rootless = process.getuid() !== 0;
  if (rootless || !onPath('apt-get')) {
    const how = onPath('apt-get')
      ? `sudo apt-get update && sudo apt-get ${install.join(' ')}`
      : 'your package manager';
    const what =
      missing.length > 0
        ? `missing: ${missing.join(', ')} (names of Debian packages)`
        : 'apt has no package lists';
    stop(missingExit, `${what}\ninstall with: ${how}\nnpm ci && npm run test:unit needs none of this`);
  }
  const quiet = { DEBIAN_FRONTEND: 'noninteractive' };
  step('package lists', 'apt-get', ['update', '-q'], quiet);
  if (missing.length > 0) step('missing', 'apt-get', install, quiet);
}

function aptKnowsKernel() {
  const found = spawnSync('apt-cache', ['show', '--no-all-versions', 'linux-image-amd64'], {
    stdio: 'ignore',
  });
  return found.status === 0;
}

function tracefs() {
  const at = '/sys/kernel/tracing';
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
  if (mounts.some((line) => line.split(' ')[1] === at)) return;
  const mount = ['-t', 'tracefs', 'tracefs', at];
  if (process.getuid() !== 0) {
    stop(missingExit, `tracefs is not mounted\nmount it with: sudo mount ${mount.join(' ')}`);
  }
  step('tracefs is not mounted', 'mount', mount);
}

function run([command, ...args]) {
  const path = `${join(root, 'node_modules/.bin')}${delimiter}${process.env.PATH ?? ''}`;
  const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, PATH: path } });
  // the terminal sends SIGINT to the command too; this process exits when the command does
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('error', (error) => stop(127, `${command}: ${error.message}`));
  child.on('exit', (code, signal) => process.exit(code ?? 128 + osConstants.signals[signal]));
}

const { local, guest, arm64, command } = parse(process.argv.slice(2));
const wanted = [local && packages.local, guest && packages.guest, arm64 && packages.arm64];
debianPackages(Object.assign({}, ...wanted.filter(Boolean)), guest);
if (local) tracefs();
npmPackages();
step('incremental', 'npm', ['run', '--silent', 'build']);
run(command);
