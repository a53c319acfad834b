import type { FieldValue, MadeType } from './made-events.ts';

const fallback = '"the format"';
const address = 0xffffffff81000142n;
const unknownAddress = 0xffffffff70000000n;
const wide = 0xfedcba9876543210n;

function event(name: string, fields: string, records: MadeType['records'], format = fallback): MadeType {
  return { name, fields, format, records };
}

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

const role = 'unsigned long gfn; u32 role; u32 root_count; bool unsync';
const roles: readonly (readonly FieldValue[])[] = [
  [],
  [0x1000, 0xffffffff, 5, 1],
  ...range(32).map((bit) => [wide, 2 ** bit, bit, bit & 1] as const),
];
const roleFormat = '"gfn %lx role %x", REC->gfn, REC->role';

/** A SCSI command: `cdb` in hexadecimal. */
const commands = [
  '00',
  '0800123456780000',
  '081fffffff000000',
  '0a05010203040000',
  '28ff12345678000100',
  '28e08000000000ffff00',
  '2a2001020304000810',
  '2f00000000010001',
  '41080000000100020000',
  '41e0ffffffff00020000',
  '420000000000000018000000',
  '420000000000000007000000',
  'a8e0000000018000000000000000',
  'aa00ffffffff00000001',
  'af20000000010000ffff0000',
  '88e0000000010000000200000003000000',
  '8a20800000008000000080000000000000',
  '8f000000000000000000ffffffff0000',
  '93e8000000000000000100000002000000',
  '9e100000000000000001000000020000',
  '9e128000000080000000ffffffff0000',
  '9e050000000000000001000000020000',
  '7f0000000000001800090000000000010000000200000003000000040000000500000006',
  '7f00000000000018000a20008000000080000000ffffffff0000000000000000ffffffff',
  '7f00000000000018000b000000000000000000010000000200000000000000000000000a',
  '7f00000000000018000de80000000000000000010000000200000000000000000000000a',
  '7f00000000000018001100000000000000000001000000020000000000000000000000a0',
  '12000000ff00',
  'ff',
].map((text) => {
  const bytes = [...Buffer.from(text, 'hex')];
  return [bytes.length, [...bytes, ...Array<number>(36 - bytes.length).fill(0)]] as const;
});

const futexFields =
  '__syscall_nr nr; u32 * uaddr; int op; u32 val; const struct timespec * utime; u32 * uaddr2; u32 val3';
const futexFormat =
  '"uaddr: 0x%08lx, op: 0x%08lx, val: 0x%08lx", ((unsigned long)(REC->uaddr)), ((unsigned long)(REC->op)), ((unsigned long)(REC->val))';

const bssFields =
  '__data_loc char[] wiphy_name; __data_loc char[] vif_name; u32 vif_type; bool assoc; u16 aid; bool cts; bool shortpre; ' +
  'bool shortslot; u8 dtimper; u16 bcnint; u16 assoc_cap; u64 timestamp; u32 basic_rates; bool enable_beacon; u16 ht_operation_mode';

const nestedFields =
  'u64 rip; u32 exit_code; u64 exit_info1; u64 exit_info2; u32 exit_int_info; u32 exit_int_info_err; u32 isa';
const nested: readonly (readonly FieldValue[])[] = [
  [],
  [0x1000, 1, 2, 3, 4, 5, 1],
  [wide, 0x61, wide, 1, 0xffffffff, 7, 2],
  [0, 999, 0, 0, 0, 0, 1],
  [0, 0x80000000, 0, 0, 0, 0, 3],
];

/** Events that libtraceevent's plugins print in their own way, with fields as kernels have them. */
export const handlerTypes: readonly MadeType[] = [
  event(
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
  event('kvm:kvm_entry', 'unsigned int vcpu_id; unsigned long rip; bool immediate_exit', [
    [],
    [3, 0x1234],
    [0xffffffff, wide, 1],
  ]),
  event('kvm:kvm_emulate_insn', 'u64 rip; u32 csbase; u8 len; u8 insn[15]; u8 flags; u8 failed', [
    [],
    [0x1000, 5, 3, [0x0f, 0x01, 0xc1], 0, 0],
    [wide, 0xffffffff, 15, range(15), 1, 1],
    [wide, 0xffffffff, 2, [0x90, 0xff], 2, 1],
  ]),
  event('kvm:kvm_nested_vmexit', nestedFields, nested),
  event('kvm:kvm_nested_vmexit_inject', nestedFields, nested),
  event(
    'kvmmmu:kvm_mmu_get_page',
    `${role}; bool created`,
    roles.map((values, index) => [
      ...values,
      ...Array<number>(4 - Math.min(values.length, 4)).fill(0),
      index & 1,
    ]),
    roleFormat,
  ),
  event('kvmmmu:kvm_mmu_sync_page', role, roles, roleFormat),
  event('kvmmmu:kvm_mmu_unsync_page', role, roles.slice(0, 2), roleFormat),
  event('kvmmmu:kvm_mmu_zap_page', 'unsigned long gfn; u32 role; bool unsync', [[1, 2, 1], []], roleFormat),
  event('kvmmmu:kvm_mmu_prepare_zap_page', role, roles.slice(0, 2), roleFormat),
  event(
    'kvmmmu:kvm_mmu_paging_element',
    'u64 pte; int level',
    [
      [2, 1],
      [5, 2],
    ],
    '"pte %llx %s level %d", REC->pte, is_writable_pte(REC->pte) ? "w" : "-", REC->level',
  ),
  event(
    'scsi:scsi_dispatch_cmd_start',
    'unsigned int cmd_len; __data_loc unsigned char[] cmnd',
    commands,
    '"cmnd=(%s raw=%s)", scsi_trace_parse_cdb(p, __get_dynamic_array(cmnd), REC->cmd_len), __print_hex(__get_dynamic_array(cmnd), REC->cmd_len)',
  ),
  event('mac80211:drv_bss_info_changed', bssFields, [
    ['phy0\0', 'wlan0\0', 2, 1, 7, 0, 1, 0, 3, 100, 0x431, 0, 0x15f, 1, 5],
    ['phy\0', 'x\0', 0xffffffff, 0, 0, 1, 0, 1, 255, 0xffff, 0, 0, 0, 0, 0xffff],
  ]),
  event(
    'jbd2:jbd2_commit',
    'dev_t dev; int transaction',
    [
      [0x800001, 5],
      [0xfff00000, -1],
      [0x000fffff, 0],
    ],
    '"dev %s transaction %d", jbd2_dev_to_name(REC->dev), REC->transaction',
  ),
  event(
    'xen:xen_mc_entry',
    'unsigned int op; unsigned int nargs; unsigned long args[3]',
    range(60).map((op) => [op, op % 3]),
    '"op %u%s nargs %u", REC->op, xen_hypercall_name(REC->op), REC->nargs',
  ),
  event(
    'cfg80211:le',
    '__data_loc u8[] bytes; u16 fixed',
    [[[0x34, 0x12, 0, 0], 0x5678]],
    '"%d", __le16_to_cpup(__get_dynamic_array(bytes))',
  ),
  event(
    'syscalls:sys_enter_futex',
    futexFields,
    [
      ...range(16).flatMap((op) =>
        [0, 128, 256, 384].map(
          (flags) => [202, 0x7ffc1234, op + flags, 5, 0x1000, 0x2000, 0xffffffff] as const,
        ),
      ),
      [202, 0, 0, 0xffffffff, wide, wide, 0],
      [202, wide, 4, 0xffffffff, wide, wide, 0],
      [202, 1, 512, 2, 3, 4, 5],
      [202, 1, -1, 2, 3, 4, 5],
    ],
    futexFormat,
  ),
  event('timer:hrtimer_expire_entry', 'void * hrtimer; s64 now; void * function', [
    [],
    [0xffff888012345678n, 123456789, address],
    [1, -1n, unknownAddress],
    [1, wide, 5],
    [1, 1, 0xffffffff81000100n],
  ]),
  event('timer:hrtimer_start', 'void * hrtimer; void * function; s64 expires; s64 softexpires; u32 mode', [
    [],
    [0xffff888012345678n, address, 123456789, 5],
    [1, unknownAddress, -1n, -2n],
    [1, 5, wide, wide],
  ]),
  ...['kmalloc', 'kmalloc_node', 'kfree', 'kmem_cache_alloc', 'kmem_cache_alloc_node', 'kmem_cache_free'].map(
    (name) =>
      event(
        `kmem:${name}`,
        'unsigned long call_site; const void * ptr; size_t bytes',
        [
          [],
          [address, 0xffff888000000000n, 64],
          [unknownAddress, 0, 0],
          [0xffffffff81000100n, 1, 2],
          [0xffffffff81000300n, 1, 2],
        ],
        '"call_site=%pS ptr=%p bytes=%zu", (void *)REC->call_site, REC->ptr, REC->bytes',
      ),
  ),
  event(
    'tlb:tlb_flush',
    'int reason; unsigned long pages',
    [...range(7).map((reason) => [reason, reason * 1000] as const), [-1, -1n], [-2, wide]],
    '"pages:%ld reason:%d", REC->pages, REC->reason',
  ),
  event(
    'sched:sched_switch',
    'char prev_comm[16]; pid_t prev_pid; int prev_prio; long prev_state; char next_comm[16]; pid_t next_pid; int next_prio',
    [
      ['from', 7, 120, 0, 'to', 8, 100],
      ...range(10).map((bit) => ['a', 7, -1, 1 << bit, 'b', 9, 0] as const),
      ['0123456789abcdefgh', -1, 120, 0x1ff, '', 0, 120],
      ['x', 7, 120, wide, 'y', 1, 120],
    ],
  ),
  event('sched:sched_wakeup', 'char comm[16]; pid_t pid; int prio; int target_cpu', [
    ['task', 8, 120, 0],
    ['task', -1, -1, -1],
    ['', 0, 0, 1234],
  ]),
  event('sched:sched_wakeup_new', 'char comm[16]; pid_t pid; int prio; int success; int target_cpu', [
    ['task', 8, 120, 1, 12],
    ['task', 70000, -1, 0, 999],
  ]),
  event(
    'ftrace:function',
    'unsigned long ip; unsigned long parent_ip',
    [
      [0xffffffff81000100n, 0xffffffff81000000n],
      [0xffffffff81000210n, 0xffffffff81000110n],
      [0xffffffff81000310n, 0xffffffff81000210n],
      [0xffffffff81000400n, 0xffffffff81000110n],
      [unknownAddress, 0xffffffff81000410n],
      [0xffffffff81000100n, unknownAddress],
      [5, 0],
    ],
    '" %ps <-- %ps", (void *)REC->ip, (void *)REC->parent_ip',
  ),
  event(
    'ftrace:func_repeats',
    'unsigned long ip; unsigned long parent_ip; u16 count; u16 top_delta_ts; u32 bottom_delta_ts',
    [
      [0xffffffff81000100n, 0xffffffff81000000n, 5, 0, 1000],
      [0xffffffff81000210n, 0xffffffff81000110n, 65535, 0, 0],
      [unknownAddress, 0, 0, 0, 999_999_999],
    ],
    '" %ps <-%ps\\t(repeats:%u  delta: -%u)", (void *)REC->ip, (void *)REC->parent_ip, REC->count, REC->bottom_delta_ts',
  ),
  event(
    'ftrace:raw_data',
    'unsigned int id; char buf[8]',
    [
      [5, 'abc'],
      [0xffffffff, [0, 255, 1, 2, 3, 4, 5]],
    ],
    '"id:%04x %08x", REC->id, (int)REC->buf[0]',
  ),
];

/** The same without the fields that the plugins look for, or with others in their place. */
export const handlerTypesWithoutFields: readonly MadeType[] = handlerTypes
  .filter(({ name }) => !/^(scsi|xen|cfg80211|jbd2)/.test(name))
  .map(({ name }) => event(name, 'u32 other; u64 another', [[1, 2], []], '"other %d", REC->other'));

/** The same with the first field only. */
export const handlerTypesWithFirstField: readonly MadeType[] = handlerTypes
  .filter(({ name }) => !/^(scsi|xen|cfg80211|jbd2)/.test(name))
  .map(({ name, fields, records }) =>
    event(
      name,
      fields.slice(0, fields.indexOf(';')),
      records.slice(0, 2).map((values) => values.slice(0, 1)),
      '"first"',
    ),
  );

/** The same without the last field. */
export const handlerTypesWithoutLastField: readonly MadeType[] = handlerTypes
  .filter(({ name }) => !/^(scsi|xen|cfg80211|jbd2)/.test(name))
  .map(({ name, fields, records }) =>
    event(name, fields.slice(0, fields.lastIndexOf(';')), records.slice(0, 2), '"all but the last"'),
  );
