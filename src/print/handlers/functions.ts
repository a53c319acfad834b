import type { RecordData } from '../../trace/format/record-data.ts';
import type { PrintFunction } from '../value/compile-value.ts';
import { constantValue, low32, readMemory, smallValue, type Value } from '../value/value.ts';
import { scsiCommandText } from './scsi.ts';

const zero = constantValue(0n);
const minorBits = 20;

/** Names of Xen's hypercalls, by number. */
const hypercalls: readonly string[] = (
  'set_trap_table mmu_update set_gdt stack_switch set_callbacks fpu_taskswitch sched_op_compat dom0_op ' +
  'set_debugreg get_debugreg update_descriptor - memory_op multicall update_va_mapping set_timer_op ' +
  'event_channel_op_compat xen_version console_io physdev_op_compat grant_table_op vm_assist ' +
  'update_va_mapping_otherdomain iret vcpu_op set_segment_base mmuext_op acm_op nmi_op sched_op callback_op ' +
  'xenoprof_op event_channel_op physdev_op hvm_op - - - - - - - - - - - - - ' +
  'arch_0 arch_1 arch_2 arch_3 arch_4 arch_5 arch_6 arch_7'
).split(' ');

function hypercallName(op: number): string {
  const name = hypercalls[op] ?? '-';
  return name === '-' ? '' : `(${name})`;
}

/** Functions that libtraceevent's plugins define for print formats. */
export const pluginFunctions: readonly PrintFunction[] = [
  {
    name: 'jbd2_dev_to_name',
    arity: 1,
    value: () => zero,
    text: textOf((dev) => `${dev >>> minorBits}:${dev & ((1 << minorBits) - 1)}`),
  },
  {
    name: 'jiffies_to_msecs',
    arity: 1,
    value: ([jiffies]) => jiffies?.value ?? zero,
    text: ([jiffies]) => {
      const value = jiffies?.value ?? zero;
      return (record) => BigInt.asIntN(64, value.big(record)).toString();
    },
  },
  { name: 'xen_hypercall_name', arity: 1, value: () => zero, text: textOf(hypercallName) },
  {
    name: '__le16_to_cpup',
    arity: 1,
    value: ([pointer]) => {
      const offset = pointer?.offset;
      return offset === undefined
        ? zero
        : smallValue((record) => Number(readMemory(record, offset(record), 2)));
    },
  },
  {
    name: 'is_writable_pte',
    arity: 1,
    value: ([pte]) => smallValue((record) => low32(pte?.value ?? zero, record) & 2),
  },
  {
    name: 'scsi_trace_parse_cdb',
    arity: 3,
    value: () => zero,
    text: ([, command]) => {
      const offset = command?.offset;
      if (offset === undefined) return () => '-';
      return (record) => {
        const start = record.dataOffset + offset(record);
        return scsiCommandText(record.page.subarray(start, record.dataOffset + record.dataBytes));
      };
    },
  },
];

function textOf(text: (value: number) => string): NonNullable<PrintFunction['text']> {
  return ([first]) => {
    const value: Value = first?.value ?? zero;
    return (record: RecordData) => text(low32(value, record));
  };
}
