import { controlPortName, cpuOfPort } from '../../port-names.ts';
import { readDomainXml } from './domain-xml.ts';
import { findRoom } from './free-slots.ts';
import { channelXml, controllerXml } from '../libvirt-xml.ts';
import { placePorts } from '../placement.ts';
import type { PreparedGuest } from '../prepare.ts';
import type { Target, TargetChanges } from './target.ts';
import { virsh, virshWithFile } from './virsh.ts';

/** The running domain, and its configuration for the next start. */
type Scope = 'live' | 'config';

/** Opens a libvirt domain; virsh makes the changes to it. @throws Failure (missing, failed) */
export async function openDomainTarget(domain: string): Promise<Target> {
  const scopes = await scopesOf(domain);
  return {
    cpus: async () =>
      Number(await virsh('vcpucount', domain, '--maximum', scopes[0] === 'live' ? '--live' : '--config')),
    // virsh attaches a device completely or not at all
    dropLeftovers: () => Promise.resolve(),
    release: (names) => release(domain, scopes, names),
    attach: (guest) => attach(domain, scopes, guest),
    detach: () => detach(domain, scopes),
    close: () => {},
  };
}

async function scopesOf(domain: string): Promise<Scope[]> {
  const state = (await virsh('domstate', domain)).trim();
  const info = await virsh('dominfo', domain);
  const scopes: Scope[] = [];
  if (state !== 'shut off' && state !== 'crashed') scopes.push('live');
  if (/^Persistent:\s+yes$/m.test(info)) scopes.push('config');
  return scopes;
}

async function attach(
  domain: string,
  scopes: readonly Scope[],
  { path, file }: PreparedGuest,
): Promise<TargetChanges> {
  const wanted = placePorts(path, file.cpus, file.chardev).flatMap((device) => device.ports);
  const done = new Set<string>();
  const notes: string[] = [];
  for (const scope of scopes) {
    const { controllers, channels } = await serialOf(domain, scope);
    const missing = wanted.filter(({ name }) => !channels.has(name));
    if (scope === 'live' && file.chardev === 'pipe' && missing.length > 0) {
      notes.push(
        `libvirt cannot add pipes to ${domain} while it runs: ${later(scopes)}, or use --chardev socket`,
      );
      continue;
    }
    const nextIndex = Math.max(-1, ...controllers.map(({ name }) => Number(name))) + 1;
    const { onBuses, newDevices } = findRoom(missing, controllers, nextIndex);
    for (const { bus, port } of onBuses) {
      await virshWithFile('attach-device', domain, channelXml(port, Number(bus)), `--${scope}`);
      done.add(port.name);
    }
    if (scope === 'live' && newDevices.length > 0) {
      const ports = `${missing.length - onBuses.length} of the ports need a virtio-serial controller`;
      notes.push(`${ports}, which libvirt cannot add to ${domain} while it runs: ${later(scopes)}`);
      continue;
    }
    for (const [offset, device] of newDevices.entries()) {
      const index = nextIndex + offset;
      await virshWithFile(
        'attach-device',
        domain,
        controllerXml(device, index, file.transport ?? 'pci'),
        '--config',
      );
      for (const port of device.ports) {
        await virshWithFile('attach-device', domain, channelXml(port, index), '--config');
        done.add(port.name);
      }
    }
  }
  return {
    done: [...done],
    already: wanted.map(({ name }) => name).filter((name) => !done.has(name)),
    notes,
  };
}

/** The remedy for devices that libvirt cannot add to a running domain. */
function later(scopes: readonly Scope[]): string {
  return scopes.includes('config')
    ? 'shut it down and start it again'
    : 'it is transient, so create it again with the XML of trace-host setup --format libvirt';
}

async function detach(domain: string, scopes: readonly Scope[]): Promise<TargetChanges> {
  const isPort = (name: string): boolean => name === controlPortName || cpuOfPort(name) !== undefined;
  const done = new Set<string>();
  for (const scope of scopes) for (const name of await takeOut(domain, scope, isPort)) done.add(name);
  return { done: [...done], already: [], notes: [] };
}

/**
 * Releases sockets only: FIFOs cannot be attached again while the domain runs, and its next start opens the new FIFOs.
 */
async function release(
  domain: string,
  scopes: readonly Scope[],
  names: readonly string[],
): Promise<TargetChanges> {
  if (!scopes.includes('live')) return { done: [], already: [], notes: [] };
  const done = await takeOut(
    domain,
    'live',
    (name, element) => names.includes(name) && element.startsWith("<channel type='unix'"),
  );
  const kept = names.length - done.length;
  const notes = kept > 0 ? [`libvirt cannot add pipes to ${domain} while it runs: ${later(scopes)}`] : [];
  return { done, already: [], notes };
}

async function takeOut(
  domain: string,
  scope: Scope,
  isMeant: (name: string, element: string) => boolean,
): Promise<string[]> {
  const { channels } = await serialOf(domain, scope);
  const meant = [...channels].filter(([name, element]) => isMeant(name, element));
  for (const [, element] of meant) await virshWithFile('detach-device', domain, element, `--${scope}`);
  return meant.map(([name]) => name);
}

async function serialOf(domain: string, scope: Scope) {
  return readDomainXml(await virsh('dumpxml', domain, ...(scope === 'config' ? ['--inactive'] : [])));
}
