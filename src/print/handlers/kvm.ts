import type { RecordData } from '../../trace/format/record-data.ts';
import type { PrintFields } from '../format/print-field.ts';
import type { TextBuffer } from '../text/text-buffer.ts';
import type { Value } from '../value/value.ts';
import { dynamicOffset } from '../value/dynamic.ts';
import { low32 } from '../value/value.ts';
import { type EventHandler, type MakeHandler, numberField, writeHex, writeMissing } from './handler.ts';
import { svmExitReasons, vmxExitReasons } from './kvm-exit-reasons.ts';

/** Reads fields and reports missing ones in the output. */
class Fields {
  readonly #fields: PrintFields;
  readonly #values = new Map<string, Value | undefined>();

  constructor(fields: PrintFields) {
    this.#fields = fields;
  }

  get(name: string): Value | undefined {
    if (!this.#values.has(name)) this.#values.set(name, numberField(this.#fields, name));
    return this.#values.get(name);
  }

  /** The field; reports it in `out` if it is missing. */
  need(name: string, out: TextBuffer): Value | undefined {
    const value = this.get(name);
    if (value === undefined) writeMissing(out, this.#fields, name);
    return value;
  }

  /** Writes `before` and the low 32 bits in decimal. */
  unsigned(name: string, before: string, record: RecordData, out: TextBuffer): void {
    const value = this.get(name);
    if (value === undefined) out.string(`CAN'T FIND FIELD "${name}"`);
    else {
      out.string(before);
      out.decimal(low32(value, record));
    }
  }

  hex(name: string, before: string, record: RecordData, out: TextBuffer): void {
    const value = this.get(name);
    if (value === undefined) out.string(`CAN'T FIND FIELD "${name}"`);
    else {
      out.string(before);
      writeHex(out, value, record);
    }
  }
}

const vmx = 1;
const svm = 2;

/** @returns whether the reason could be read */
function writeReason(name: string, fields: Fields, record: RecordData, out: TextBuffer): boolean {
  const value = fields.need(name, out);
  if (value === undefined) return false;
  const isaField = fields.get('isa');
  const isa = isaField === undefined ? vmx : low32(isaField, record);
  const reasons = isa === vmx ? vmxExitReasons : isa === svm ? svmExitReasons : undefined;
  const reason = reasons === undefined ? 'UNKNOWN-ISA' : reasons.get(low32(value, record) | 0);
  out.string(reason === undefined ? `reason UNKNOWN (${value.big(record)})` : `reason ${reason}`);
  return true;
}

/** `kvm:kvm_exit` */
export const kvmExitHandler: MakeHandler = ({ fields: all }) => {
  const fields = new Fields(all);
  return (record, out) => {
    if (!writeReason('exit_reason', fields, record, out)) return true;
    const rip = fields.need('guest_rip', out);
    if (rip === undefined) return true;
    out.string(' rip 0x');
    writeHex(out, rip, record);
    const info1 = fields.get('info1');
    const info2 = fields.get('info2');
    if (info1 !== undefined && info2 !== undefined) {
      out.string(' info ');
      writeHex(out, info1, record);
      out.string(' ');
      writeHex(out, info2, record);
    }
    return false;
  };
};

/** `kvm:kvm_entry` */
export const kvmEntryHandler: MakeHandler = ({ fields: all }) => {
  const fields = new Fields(all);
  return (record, out) => {
    fields.unsigned('vcpu_id', ' vcpu ', record, out);
    const rip = fields.need('rip', out);
    if (rip === undefined) return true;
    out.string(' rip 0x');
    writeHex(out, rip, record);
    return false;
  };
};

const maxInstructionBytes = 15;

/** `kvm:kvm_emulate_insn`: the instruction's bytes. */
export const kvmEmulateHandler: MakeHandler = ({ fields: all }) => {
  const fields = new Fields(all);
  const instruction = all.find('insn');
  return (record, out) => {
    for (const name of ['rip', 'csbase', 'len', 'flags', 'failed'])
      if (fields.need(name, out) === undefined) return true;
    if (instruction === undefined) {
      writeMissing(out, all, 'insn');
      return true;
    }
    writeHex(out, fields.get('csbase')!, record);
    out.string(':');
    writeHex(out, fields.get('rip')!, record);
    out.string(': ');
    const start = instruction.isDynamic ? dynamicOffset(record, instruction) : instruction.offset;
    const length = Math.min(
      low32(fields.get('len')!, record),
      maxInstructionBytes,
      Math.max(0, record.dataBytes - start),
    );
    for (let index = 0; index < length; index++) {
      if (index > 0) out.string(' ');
      out.hexByte(record.page[record.dataOffset + start + index]!);
    }
    if (fields.get('failed')!.number(record) !== 0) out.string(' FAIL');
    return false;
  };
};

function nestedExit(fields: Fields): EventHandler {
  return (record, out) => {
    if (!writeReason('exit_code', fields, record, out)) return true;
    fields.hex('exit_info1', ' info1 ', record, out);
    fields.hex('exit_info2', ' info2 ', record, out);
    fields.hex('exit_int_info', ' int_info ', record, out);
    fields.hex('exit_int_info_err', ' int_info_err ', record, out);
    return false;
  };
}

/** `kvm:kvm_nested_vmexit_inject` */
export const kvmNestedInjectHandler: MakeHandler = ({ fields }) => nestedExit(new Fields(fields));

/** `kvm:kvm_nested_vmexit` */
export const kvmNestedExitHandler: MakeHandler = ({ fields: all }) => {
  const fields = new Fields(all);
  const print = nestedExit(fields);
  return (record, out, event) => {
    const rip = fields.need('rip', out);
    if (rip === undefined) return true;
    out.string(' rip ');
    writeHex(out, rip, record);
    return print(record, out, event);
  };
};

const accesses = ['---', '--x', 'w--', 'w-x', '-u-', '-ux', 'wu-', 'wux'] as const;

function shadowPage(fields: Fields): EventHandler {
  return (record, out) => {
    const value = fields.need('role', out);
    if (value === undefined) return true;
    const role = low32(value, record);
    const bit = (index: number): boolean => ((role >>> index) & 1) === 1;
    const not = (index: number): string => (bit(index) ? '' : '!');
    out.string(`${role & 0xf} q${(role >>> 5) & 3}${bit(7) ? ' direct' : ''} ${accesses[(role >>> 8) & 7]}`);
    out.string(`${bit(11) ? ' invalid' : ''} ${not(4)}pae ${not(12)}nxe ${not(13)}wp`);
    out.string(`${bit(14) ? ' smep' : ''}${bit(15) ? ' smap' : ''}${role >>> 24 === 0 ? '' : ' smm'}`);
    fields.unsigned('root_count', ' root ', record, out);
    if (fields.get('root_count') !== undefined) out.string(' ');
    const unsync = fields.need('unsync', out);
    if (unsync === undefined) return true;
    out.string(unsync.number(record) === 0 ? 'sync' : 'unsync');
    // libtraceevent writes a NUL here, which ends the line
    out.cut();
    return false;
  };
}

/** `kvmmmu:kvm_mmu_sync_page` and other events with a shadow page's role. */
export const kvmRoleHandler: MakeHandler = ({ fields }) => shadowPage(new Fields(fields));

/** `kvmmmu:kvm_mmu_get_page` */
export const kvmGetPageHandler: MakeHandler = ({ fields: all }) => {
  const fields = new Fields(all);
  const print = shadowPage(fields);
  return (record, out, event) => {
    const created = fields.need('created', out);
    if (created === undefined) return true;
    out.string(created.number(record) === 0 ? 'existing ' : 'new ');
    const gfn = fields.need('gfn', out);
    if (gfn === undefined) return true;
    out.string('sp gfn ');
    writeHex(out, gfn, record);
    out.string(' ');
    return print(record, out, event);
  };
};
