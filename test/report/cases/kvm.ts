import { casesOf } from './case.ts';

const exit = casesOf('kvm:kvm_exit');
const entry = casesOf('kvm:kvm_entry');
const emulate = casesOf('kvm:kvm_emulate_insn');
const nested = casesOf('kvm:kvm_nested_vmexit');
const inject = casesOf('kvm:kvm_nested_vmexit_inject');
const getPage = casesOf('kvmmmu:kvm_mmu_get_page');
const syncPage = casesOf('kvmmmu:kvm_mmu_sync_page');
const zapPage = casesOf('kvmmmu:kvm_mmu_prepare_zap_page');
const plain = casesOf('kvm:kvm_fpu');

const exitFields = (reason: string, isa: string): string =>
  `unsigned int exit_reason = ${reason}; unsigned long guest_rip = 0xffffffff81000123; u32 isa = ${isa}; u64 info1 = 0x181; u64 info2 = 0`;
const role = (word: string, rest = 'unsigned int root_count = 1; bool unsync = 00'): string =>
  `u64 gfn = 0x1234; u32 role = ${word}; ${rest}`;
const insn = (fields: string): string =>
  `u64 rip = 0xffffffff81000123; u32 csbase = 0x10; u8 len = 03; u8 insn[15] = 0f 01 c1 90 90 90 90 90 90 90 90 90 90 90 90; u8 flags = 05; u8 failed = ${fields}`;
const nestedFields =
  'u64 rip = 0x1000; u32 exit_code = 0x40; u64 exit_info1 = 1; u64 exit_info2 = 0x22; u32 exit_int_info = 3; u32 exit_int_info_err = 4; u32 isa = 2';

/** Events of a host's KVM. */
export const kvmCases = [
  exit('VMX', exitFields('10', '1'), '"x"'),
  exit('SVM', exitFields('0x7b', '2'), '"x"'),
  exit('unknown reason', exitFields('9999', '1'), '"x"'),
  exit('failed entry', exitFields('0x80000021', '1'), '"x"'),
  exit('unknown architecture', exitFields('1', '7'), '"x"'),
  exit('SVM, the largest', exitFields('0xffffffff', '2'), '"x"'),
  ...Array.from({ length: 76 }, (_, reason) => exit(`VMX ${reason}`, exitFields(String(reason), '1'), '"x"')),
  ...[
    0, 0x10, 0x4e, 0x5f, 0x60, 0x6e, 0x72, 0x77, 0x81, 0x8a, 0x8e, 0x90, 0x91, 0xa3, 0x400, 0x401, 0x402,
    0x403,
  ].map((reason) => exit(`SVM ${reason}`, exitFields(String(reason), '2'), '"x"')),
  exit('without architecture', 'unsigned int exit_reason = 12; unsigned long guest_rip = 0x10', '"x"'),
  exit('without reason', 'unsigned long guest_rip = 0x10', '"rip %lx", REC->guest_rip'),
  exit('without address', 'unsigned int exit_reason = 12', '"reason %d", REC->exit_reason'),
  entry('usual', 'unsigned int vcpu_id = 3; unsigned long rip = 0xffffffff81000123', '"x"'),
  entry('without number', 'unsigned long rip = 0x10', '"x"'),
  entry('without address', 'unsigned int vcpu_id = 3', '"vcpu %d", REC->vcpu_id'),
  emulate('usual', insn('00'), '"x"'),
  emulate('failed', insn('01'), '"x"'),
  emulate('fields are missing', 'u64 rip = 1', '"x"'),
  nested('usual', nestedFields, '"x"'),
  nested('without address', 'u32 exit_code = 0x40; u32 isa = 2', '"code %x", REC->exit_code'),
  inject('usual', nestedFields.replace('u64 rip = 0x1000; ', ''), '"x"'),
  inject('fields are missing', 'u32 exit_code = 1; u32 isa = 1', '"x"'),
  ...['0x1', '0x24', '0xfff4', '0x10f34', '0x7734', '0xffffffff', '0x0'].map((word) =>
    syncPage(`role ${word}`, role(word), '"x"'),
  ),
  syncPage('not synchronized', role('0x44', 'unsigned int root_count = 2; bool unsync = 01'), '"x"'),
  syncPage('fields are missing', 'u32 role = 5', '"role %d", REC->role'),
  syncPage('no role', 'u32 a = 5', '"a %d", REC->a'),
  zapPage('usual', role('0x24'), '"x"'),
  getPage('new', `bool created = 01; ${role('0x24')}`, '"x"'),
  getPage('existing', `bool created = 00; ${role('0x24')}`, '"x"'),
  getPage('fields are missing', 'bool created = 01', '"x"'),
  plain(
    'function of a plugin',
    'u64 pte = 7; u64 other = 4',
    '"%d %d", is_writable_pte(REC->pte), is_writable_pte(REC->other)',
  ),
];
