import { statfsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { ExitCode } from '../../base/failure.ts';
import { exitCode } from '../../base/failure.ts';
import { guestLabel, guestPath } from '../../host/guest-dir/location.ts';
import { cpuOfPort } from '../../host/port-names.ts';
import { libvirtElements } from '../../host/setup/libvirt-xml.ts';
import type { SetupFormat, SetupOptions } from '../../host/setup/options.ts';
import { placePorts } from '../../host/setup/placement.ts';
import type { PreparedGuest } from '../../host/setup/prepare.ts';
import { prepareGuest } from '../../host/setup/prepare.ts';
import { qemuArguments, qemuText } from '../../host/setup/qemu-options.ts';
import { removeGuest, someOf } from '../../host/setup/remove.ts';
import { releaseCutOff } from '../../host/setup/release.ts';
import type { Target, TargetChanges } from '../../host/setup/target/target.ts';
import { openTarget } from '../../host/setup/target/open-target.ts';
import { counted, cpuRanges } from '../report/human.ts';

/** TMPFS_MAGIC of statfs(2). */
const tmpfs = 0x01021994;

/** `trace-host setup`: prints the options for QEMU or libvirt to stdout, and what it did to stderr. Throws Failure. */
export async function runSetup(options: SetupOptions): Promise<ExitCode> {
  const target = options.applyTo === undefined ? undefined : await openTarget(options.applyTo);
  try {
    await (options.remove ? remove(options, target) : setUp(options, target));
  } finally {
    target?.close();
  }
  return exitCode.done;
}

async function setUp(options: SetupOptions, target: Target | undefined): Promise<void> {
  await target?.dropLeftovers();
  const released = target && (await releaseCutOff(options.location, target));
  if (released !== undefined) sayPorts(released, 'detached because their files were removed', 'not attached');
  const guest = await prepareGuest(options, async () => {
    if (target !== undefined) return target.cpus();
    const cpus = availableParallelism();
    say(`no --cpus: creating ports for ${cpus} CPUs, the number of this host`);
    return cpus;
  });
  sayPrepared(guest);
  if (target !== undefined) {
    const changes = await target.attach(guest);
    sayPorts(changes, 'attached', 'already attached');
  }
  if (options.format !== undefined) process.stdout.write(setupText(options, guest, options.format));
}

async function remove(options: SetupOptions, target: Target | undefined): Promise<void> {
  if (target !== undefined) {
    const changes = await target.detach();
    sayPorts(changes, 'detached', 'not attached');
  }
  const { location } = options;
  const path = guestPath(location);
  const removed = await removeGuest(location);
  if (removed === undefined) say(`${path} does not exist`);
  else if (removed.directory) say(`removed ${path}`);
  else
    say(
      `removed ${counted(removed.files.length, 'file')} of ${guestLabel(location)}; kept ${someOf(removed.left)}`,
    );
}

function setupText({ location }: SetupOptions, { path, file }: PreparedGuest, format: SetupFormat): string {
  const devices = placePorts(path, file.cpus, file.chardev);
  const { cpus, chardev, transport = 'pci', group = null } = file;
  const words = qemuArguments(devices, transport);
  const libvirt = libvirtElements(devices, transport);
  switch (format) {
    case 'qemu':
      return qemuText(words, process.stdout.isTTY);
    case 'libvirt':
      return libvirt.join('');
    case 'json': {
      const guest = { guest: location.guest ?? null, dir: path, cpus, chardev, transport, group };
      const value = { ...guest, devices, qemu: words, libvirt };
      return `${JSON.stringify(value, undefined, 2)}\n`;
    }
    default:
      return format satisfies never;
  }
}

function sayPrepared({ path, file, changes }: PreparedGuest): void {
  const { made, mended, removed } = changes;
  const done = [
    ...(made.length > 0 ? [`created ${counted(made.length, 'entry', 'entries')}`] : []),
    ...(mended.length > 0 ? [`fixed ${someOf(mended)}`] : []),
    ...(removed.length > 0 ? [`removed ${someOf(removed)}`] : []),
  ];
  const what = done.length > 0 ? done.join(', ') : 'already set up';
  say(`${path}: ${what} (${counted(file.cpus, 'CPU')}, chardev ${file.chardev})`);
  if (statfsSync(path).type === tmpfs)
    say(
      `${path} is in memory (tmpfs), so a reboot of this host removes it: run setup again after a reboot, before starting the guest`,
    );
}

function sayPorts({ done, already, notes }: TargetChanges, did: string, was: string): void {
  const parts = [];
  if (done.length > 0) parts.push(`${did}: ${portsText(done)}`);
  if (already.length > 0) parts.push(`${was}: ${portsText(already)}`);
  if (parts.length > 0) say(parts.join('; '));
  for (const note of notes) say(note);
}

/** `control port, CPUs 0-3,8` for a list of port names. */
function portsText(names: readonly string[]): string {
  const cpus = names.map(cpuOfPort).filter((cpu) => cpu !== undefined);
  const parts = cpus.length < names.length ? ['control port'] : [];
  if (cpus.length > 0) parts.push(`CPU${cpus.length === 1 ? '' : 's'} ${cpuRanges(cpus)}`);
  return parts.join(', ');
}

function say(text: string): void {
  process.stderr.write(`trace-host: ${text}\n`);
}
