import { fixtureText } from '../unit/trace/fixtures.ts';
import type { MadeEvent } from '../unit/analysis/made-trace.ts';
import type { Simulated } from './machine.ts';

/** The formats of the host's KVM events, by path below tracefs. */
export function kvmFormats(): Record<string, string> {
  return {
    'events/kvm/kvm_entry/format': fixtureText('kvm-format/kvm_entry'),
    'events/kvm/kvm_exit/format': fixtureText('kvm-format/kvm_exit'),
  };
}

const entryId = 30001;
const exitId = 30002;
/** EXIT_REASON_HLT of arch/x86/include/uapi/asm/vmx.h. */
const haltExit = 12;
const intel = 1;
const rip = 0xffff_ffff_8100_0000n;
/** Less than the simulated guest takes to its first event. */
const entryNs = 150;
const exitNs = 50;

function entryData(tid: number, vcpu: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(36));
  view.setUint16(0, entryId, true);
  view.setInt32(4, tid, true);
  view.setUint32(8, vcpu, true);
  view.setBigUint64(16, rip, true);
  return new Uint8Array(view.buffer);
}

function exitData(tid: number, vcpu: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(72));
  view.setUint16(0, exitId, true);
  view.setInt32(4, tid, true);
  view.setUint32(8, haltExit, true);
  view.setBigUint64(16, rip, true);
  view.setUint32(24, intel, true);
  view.setUint32(56, vcpu, true);
  return new Uint8Array(view.buffer);
}

/**
 * The host's events with those that KVM has when a vCPU's thread comes to a CPU and leaves it.
 * @param originNs what the host's clock shows when the machine starts
 */
export function withKvmEvents(
  events: readonly MadeEvent[],
  { switches, tids }: Pick<Simulated, 'switches' | 'tids'>,
  originNs: number,
): MadeEvent[] {
  const added = switches.flatMap(({ cpu, time, prev, next }): MadeEvent[] => {
    const ns = originNs + Math.floor(time);
    const [came, left] = [tids.indexOf(next), tids.indexOf(prev)];
    return [
      ...(left < 0 ? [] : [{ cpu, ns: ns - exitNs, pid: prev, data: exitData(prev, left) }]),
      ...(came < 0 ? [] : [{ cpu, ns: ns + entryNs, pid: next, data: entryData(next, came) }]),
    ];
  });
  return [...events, ...added].sort((a, b) => a.ns - b.ns);
}
