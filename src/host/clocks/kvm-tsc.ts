import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../../base/error-code.ts';
import type { RecordedTsc } from '../../trace/recording/recording-format.ts';

/** How KVM computes the TSC of a guest, or why that is unknown, for messages. */
export type KvmTsc =
  | { readonly kind: 'known'; readonly tsc: RecordedTsc }
  | { readonly kind: 'unknown'; readonly why: string };

const debugfs = '/sys/kernel/debug';

/**
 * Reads how KVM computes the TSC of all CPUs of a QEMU's guest, from debugfs (arch/x86/kvm/debugfs.c). Does not throw.
 * @param pid process id of QEMU
 */
export function readKvmTsc(pid: number, root = debugfs): KvmTsc {
  const kvm = join(root, 'kvm');
  try {
    // KVM names a machine's directory by the process that created it, and a descriptor of it
    const machine = readdirSync(kvm).find((name) => new RegExp(`^${pid}-\\d+$`).test(name));
    if (machine === undefined)
      return unknown(`${kvm} has no directory of QEMU (pid ${pid}): KVM does not run it`);
    const cpus = readdirSync(join(kvm, machine)).filter((name) => /^vcpu\d+$/.test(name));
    const relations = cpus.map((cpu) => relationIn(join(kvm, machine, cpu)));
    const [first] = relations;
    if (first === undefined || relations.some((each) => each === undefined))
      return unknown(`${join(kvm, machine)} has no readable tsc-offset`);
    if (relations.some((each) => !sameTsc(each, first))) return unknown('the TSCs of its CPUs differ');
    return { kind: 'known', tsc: first };
  } catch (error) {
    switch (errorCode(error)) {
      case 'ENOENT':
        return unknown(`there is no ${kvm}: debugfs is not mounted, or KVM is not loaded`);
      case 'EACCES':
      case 'EPERM':
        return unknown(`cannot read ${kvm}: only root may`);
      default:
        return unknown(`cannot read ${kvm}: ${errorCode(error)}`);
    }
  }
}

export function sameTsc(a: RecordedTsc | undefined, b: RecordedTsc | undefined): boolean {
  return a?.offset === b?.offset && a?.ratio === b?.ratio && a?.fractionBits === b?.fractionBits;
}

function unknown(why: string): KvmTsc {
  return { kind: 'unknown', why };
}

/** Undefined if it has no such file, or one with another content. Throws errors of the file system. */
function relationIn(dir: string): RecordedTsc | undefined {
  const offset = /^-?\d{1,19}$/.exec(textOf(join(dir, 'tsc-offset')) ?? '')?.[0];
  if (offset === undefined) return undefined;
  // only where the processor can scale the TSC
  const ratio = textOf(join(dir, 'tsc-scaling-ratio'));
  const bits = textOf(join(dir, 'tsc-scaling-ratio-frac-bits'));
  if (ratio === undefined && bits === undefined) return { offset, ratio: null, fractionBits: null };
  if (!/^[1-9]\d{0,19}$/.test(ratio ?? '') || !/^\d{1,2}$/.test(bits ?? '') || Number(bits) >= 64)
    return undefined;
  return { offset, ratio: ratio ?? null, fractionBits: Number(bits) };
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
