import type { ApplyTo } from '../options.ts';
import type { Target } from './target.ts';

/** Connects to the guest's manager (QEMU or libvirt). The caller closes it. @throws Failure (missing) */
export async function openTarget(applyTo: ApplyTo): Promise<Target> {
  // load only the one that is needed
  if (applyTo.kind === 'qmp') return (await import('./qmp-target.ts')).openQmpTarget(applyTo.socket);
  return (await import('./domain-target.ts')).openDomainTarget(applyTo.domain);
}
