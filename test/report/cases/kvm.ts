import { type Case, casesOf, type Records, pluginEvent, range } from './case.ts';

const wide = 0xfedcba9876543210n;

const role = 'unsigned long gfn; u32 role; u32 root_count; bool unsync';
const roles: Records = [
  [],
  [0x1000, 0xffffffff, 5, 1],
  ...[0x24, 0xfff4, 0x10f34, 0x7734].map((word) => [0x1234, word, 1] as const),
  ...range(32).map((bit) => [wide, 2 ** bit, bit, bit & 1] as const),
];
const roleFormat = '"gfn %lx role %x", REC->gfn, REC->role';

const nestedFields =
  'u64 rip; u32 exit_code; u64 exit_info1; u64 exit_info2; u32 exit_int_info; u32 exit_int_info_err; u32 isa';
const nested: Records = [
  [],
  [0x1000, 1, 2, 3, 4, 5, 1],
  [wide, 0x61, wide, 1, 0xffffffff, 7, 2],
  [0, 999, 0, 0, 0, 0, 1],
  [0, 0x80000000, 0, 0, 0, 0, 3],
];

/** Events of a host's KVM. */
export const kvmCases: readonly Case[] = [
  ...pluginEvent(
    'kvm:kvm_exit',
    'unsigned int exit_reason; unsigned long guest_rip; u32 isa; u64 info1; u64 info2; u32 intr_info; u32 error_code; unsigned int vcpu_id',
    [
      ...range(80).map((reason) => [reason, 0x1000 + reason, 1, reason, 0] as const),
      ...range(0xa8).map((reason) => [reason, 0x1000 + reason, 2, 0, reason] as const),
      ...[0x400, 0x401, 0x402, 0x403, 0xffffffff, 0x80000001, 0x80000021].flatMap((reason) =>
        [1, 2, 0, 3].map((isa) => [reason, wide, isa, wide, wide] as const),
      ),
    ],
  ),
  ...pluginEvent('kvm:kvm_entry', 'unsigned int vcpu_id; unsigned long rip; bool immediate_exit', [
    [],
    [3, 0x1234],
    [0xffffffff, wide, 1],
  ]),
  ...pluginEvent('kvm:kvm_emulate_insn', 'u64 rip; u32 csbase; u8 len; u8 insn[15]; u8 flags; u8 failed', [
    [],
    [0x1000, 5, 3, [0x0f, 0x01, 0xc1], 0, 0],
    [wide, 0xffffffff, 15, range(15), 1, 1],
    [wide, 0x10, 3, [0x0f, 0x01, 0xc1], 5, 0],
    [wide, 0xffffffff, 2, [0x90, 0xff], 2, 1],
  ]),
  ...pluginEvent('kvm:kvm_nested_vmexit', nestedFields, nested),
  ...pluginEvent('kvm:kvm_nested_vmexit_inject', nestedFields, nested),
  ...pluginEvent(
    'kvmmmu:kvm_mmu_get_page',
    `${role}; bool created`,
    roles.map((values, index) => [
      ...values,
      ...Array<number>(4 - Math.min(values.length, 4)).fill(0),
      index & 1,
    ]),
    roleFormat,
  ),
  ...pluginEvent('kvmmmu:kvm_mmu_sync_page', role, roles, roleFormat),
  ...pluginEvent('kvmmmu:kvm_mmu_unsync_page', role, roles.slice(0, 2), roleFormat),
  ...pluginEvent(
    'kvmmmu:kvm_mmu_zap_page',
    'unsigned long gfn; u32 role; bool unsync',
    [[1, 2, 1], []],
    roleFormat,
  ),
  ...pluginEvent('kvmmmu:kvm_mmu_prepare_zap_page', role, roles.slice(0, 2), roleFormat),
  casesOf('kvm:kvm_exit')(
    'without architecture',
    'unsigned int exit_reason = 12; unsigned long guest_rip = 0x10',
    '"x"',
  ),
  casesOf('kvm:kvm_entry')('without number', 'unsigned long rip = 0x10', '"x"'),
  casesOf('kvm:kvm_nested_vmexit')(
    'without address',
    'u32 exit_code = 0x40; u32 isa = 2',
    '"code %x", REC->exit_code',
  ),
  casesOf('kvm:kvm_nested_vmexit_inject')(
    'without address, as kernels have it',
    'u32 exit_code = 0x40; u64 exit_info1 = 1; u64 exit_info2 = 0x22; u32 exit_int_info = 3; u32 exit_int_info_err = 4; u32 isa = 2',
    '"x"',
  ),
  casesOf('kvm:kvm_nested_vmexit_inject')('without most fields', 'u32 exit_code = 1; u32 isa = 1', '"x"'),
  casesOf('kvmmmu:kvm_mmu_sync_page')('only a role', 'u32 role = 5', '"role %d", REC->role'),
  casesOf('kvmmmu:kvm_mmu_get_page')('only created', 'bool created = 01', '"x"'),
];
