import { join } from 'node:path';
import { completions } from '../completion/completions.ts';
import { manPages } from '../man/pages.ts';
import type { Processor } from '../single/processor.ts';

/** A file of a package: its source or content, and its destination. */
export interface PackagedFile {
  readonly to: string;
  readonly mode: 0o644 | 0o755;
  /** Path of the source, or the content. */
  readonly from: string | { readonly text: string };
  /** Gzipped, as Debian requires for man pages and changelogs. */
  readonly gzip?: boolean;
}

export interface Package {
  readonly name: string;
  readonly summary: string;
  /** Lines of the description, as in a control file. */
  readonly description: readonly string[];
  readonly section: string;
  /** The single-file executable; the package depends on the libraries that it is linked with. */
  readonly program: string;
  readonly relations: Readonly<Record<string, string>>;
  readonly files: readonly PackagedFile[];
  /** Absolute paths, as dpkg requires. */
  readonly conffiles: readonly string[];
  /** Files in packaging/deb, by dpkg's name for the script. */
  readonly scripts: Readonly<Partial<Record<'postinst' | 'prerm' | 'postrm', string>>>;
}

/** The inputs of a build. */
export interface Parts {
  /** The checkout. */
  readonly root: string;
  readonly processor: Processor;
  /** Directory of the single-file executables. */
  readonly programs: string;
  /** Modification time of all files in the package; fixed, so that builds are reproducible. */
  readonly date: Date;
}

export function packages(parts: Parts): Package[] {
  const { root, processor } = parts;
  const qemu = processor === 'arm64' ? 'qemu-system-arm' : 'qemu-system-x86';
  const own = (path: string): string => join(root, 'packaging', path);
  const agent: Package = {
    name: 'virtio-trace-agent',
    summary: "move this guest's kernel trace to the host over virtio-serial",
    description: [
      'Takes whole pages out of the ftrace ring buffers of a virtual machine and',
      'splices them into virtio-serial ports, one for each CPU, without a network',
      'and without losing a page. The host starts and stops it.',
      '.',
      'The service starts when the host gives this guest a port agent-ctl-path.',
      'The package virtio-trace-host is the other end.',
    ],
    section: 'kernel',
    program: 'trace-agent',
    relations: { Enhances: 'systemd' },
    files: [
      ...programFiles(parts, 'trace-agent'),
      manPage(parts, 'virtio-trace-protocol.7'),
      {
        from: own('systemd/trace-agent.service'),
        to: 'usr/lib/systemd/system/trace-agent.service',
        mode: 0o644,
      },
      {
        from: own('udev/60-trace-agent.rules'),
        to: 'usr/lib/udev/rules.d/60-trace-agent.rules',
        mode: 0o644,
      },
      { from: own('agent.json'), to: 'etc/virtio-trace/agent.json', mode: 0o644 },
      ...['sysvinit', 'openrc'].map(
        (init): PackagedFile => ({
          from: own(`${init}/trace-agent`),
          to: `usr/share/doc/virtio-trace-agent/examples/${init}/trace-agent`,
          mode: 0o755,
        }),
      ),
    ],
    conffiles: ['/etc/virtio-trace/agent.json'],
    scripts: { postinst: 'agent.postinst', prerm: 'agent.prerm', postrm: 'agent.postrm' },
  };
  const host: Package = {
    name: 'virtio-trace-host',
    summary: 'record kernel traces of virtual machines over virtio-serial',
    description: [
      'Sets up the virtio-serial ports of a virtual machine under QEMU or libvirt,',
      'controls the agent in it, and records the trace of its kernel into a',
      'trace.dat file that trace-cmd and KernelShark open. Needs no root.',
      '.',
      'The service trace-host has a page of guests and recordings, and an API, on',
      '127.0.0.1:7117; trace-host open opens it.',
      '.',
      'The package virtio-trace-agent goes into the guest.',
    ],
    section: 'kernel',
    program: 'trace-host',
    relations: { Enhances: 'systemd', Recommends: 'trace-cmd', Suggests: `${qemu}, kernelshark` },
    files: [
      ...programFiles(parts, 'trace-host'),
      { from: own('tmpfiles/virtio-trace.conf'), to: 'usr/lib/tmpfiles.d/virtio-trace.conf', mode: 0o644 },
      {
        from: own('systemd/trace-host.service'),
        to: 'usr/lib/systemd/system/trace-host.service',
        mode: 0o644,
      },
      {
        from: own('sysusers/virtio-trace-host.conf'),
        to: 'usr/lib/sysusers.d/virtio-trace-host.conf',
        mode: 0o644,
      },
      {
        from: own('systemd/trace-host-root.conf'),
        to: 'usr/share/doc/virtio-trace-host/examples/systemd/root.conf',
        mode: 0o644,
      },
    ],
    conffiles: [],
    scripts: { postinst: 'host.postinst', prerm: 'host.prerm', postrm: 'host.postrm' },
  };
  return [agent, host];
}

function programFiles(parts: Parts, program: string): PackagedFile[] {
  const scripts = new Map(completions());
  const completion = (path: string, to: string): PackagedFile => {
    const text = scripts.get(path);
    if (text === undefined) throw new Error(`completion missing: ${path}`);
    return { from: { text }, to: `usr/share/${to}`, mode: 0o644 };
  };
  return [
    { from: join(parts.programs, program), to: `usr/bin/${program}`, mode: 0o755 },
    manPage(parts, `${program}.1`),
    completion(`bash/${program}`, `bash-completion/completions/${program}`),
    completion(`zsh/_${program}`, `zsh/vendor-completions/_${program}`),
    completion(`fish/${program}.fish`, `fish/vendor_completions.d/${program}.fish`),
  ];
}

function manPage({ root, date }: Parts, name: string): PackagedFile {
  const text = new Map(manPages(root, date.toISOString().slice(0, 10))).get(name);
  if (text === undefined) throw new Error(`man page missing: ${name}`);
  return { from: { text }, to: `usr/share/man/man${name.at(-1)}/${name}.gz`, mode: 0o644, gzip: true };
}
