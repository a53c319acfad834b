import { type Case, casesOf, pluginEvent, range } from './case.ts';

const address = 0xffffffff81000142n;
const unknownAddress = 0xffffffff70000000n;
const wide = 0xfedcba9876543210n;

const futexFields =
  '__syscall_nr nr; u32 * uaddr; int op; u32 val; const struct timespec * utime; u32 * uaddr2; u32 val3';
const futexFormat =
  '"uaddr: 0x%08lx, op: 0x%08lx, val: 0x%08lx", ((unsigned long)(REC->uaddr)), ((unsigned long)(REC->op)), ((unsigned long)(REC->val))';

const bssFields =
  '__data_loc char[] wiphy_name; __data_loc char[] vif_name; u32 vif_type; bool assoc; u16 aid; bool cts; bool shortpre; ' +
  'bool shortslot; u8 dtimper; u16 bcnint; u16 assoc_cap; u64 timestamp; u32 basic_rates; bool enable_beacon; u16 ht_operation_mode';

const futexWide = (op: string): string =>
  `int nr = 202; u32 * uaddr = 0x7f0000001000; long op = ${op}; long val = -7; void * utime = 0x20; u32 * uaddr2 = 0x2000; long val3 = -1`;
const futex = casesOf('syscalls:sys_enter_futex');
const bss = casesOf('mac80211:drv_bss_info_changed');

/** Timers, memory, TLB, futexes, wireless networks. */
export const pluginCases: readonly Case[] = [
  ...pluginEvent('mac80211:drv_bss_info_changed', bssFields, [
    ['phy0\0', 'wlan0\0', 2, 1, 7, 0, 1, 0, 3, 100, 0x431, 0, 0x15f, 1, 5],
    ['phy\0', 'x\0', 0xffffffff, 0, 0, 1, 0, 1, 255, 0xffff, 0, 0, 0, 0, 0xffff],
  ]),
  ...pluginEvent(
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
  ...pluginEvent('timer:hrtimer_expire_entry', 'void * hrtimer; s64 now; void * function', [
    [],
    [0xffff888012345678n, 123456789, address],
    [1, -1n, unknownAddress],
    [1, wide, 5],
    [1, 1, 0xffffffff81000100n],
  ]),
  ...pluginEvent(
    'timer:hrtimer_start',
    'void * hrtimer; void * function; s64 expires; s64 softexpires; u32 mode',
    [[], [0xffff888012345678n, address, 123456789, 5], [1, unknownAddress, -1n, -2n], [1, 5, wide, wide]],
  ),
  ...[
    'kmalloc',
    'kmalloc_node',
    'kfree',
    'kmem_cache_alloc',
    'kmem_cache_alloc_node',
    'kmem_cache_free',
  ].flatMap((name) =>
    pluginEvent(
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
  ...pluginEvent(
    'tlb:tlb_flush',
    'int reason; unsigned long pages',
    [...range(7).map((reason) => [reason, reason * 1000] as const), [-1, -1n], [-2, wide]],
    '"pages:%ld reason:%d", REC->pages, REC->reason',
  ),
  casesOf('timer:hrtimer_expire_entry')(
    'newer name',
    'void * timer = 0xffff888000001000; s64 now = -1; void * function = 0x1234',
    '"x"',
  ),
  casesOf('kmem:kmem_cache_free')(
    'with a dynamic text',
    'unsigned long call_site = 0xffffffff81000104; __data_loc char[] name = "cache"',
    '"name=%s", __get_str(name)',
  ),
  casesOf('tlb:tlb_flush')('no reason', 'unsigned long pages = 5', '"p %ld", REC->pages'),
  futex('wide', futexWide('0'), futexFormat),
  futex('wide, private', futexWide('132'), futexFormat),
  futex('beyond 32 bits', futexWide('0x100000001'), futexFormat),
  futex('one field is missing', 'u32 * uaddr = 0x7f0000001000; int op = 0; u32 val = 7', '"nr %d", REC->op'),
  bss(
    'fixed names',
    'char wiphy_name[32] = "phy0"; __data_loc char[] vif_name = "wlan0"; u32 vif_type = 2; bool assoc = 01; u16 aid = 3; bool cts = 00; bool shortpre = 01; bool shortslot = 00; u8 dtimper = 02; u16 bcnint = 100; u16 assoc_cap = 0x431; u64 basic_rates = 15; bool enable_beacon = 01; u16 ht_operation_mode = 7',
    '"x"',
  ),
  bss(
    'few fields',
    'char wiphy_name[32] = "phy0"; u32 vif_type = 0xffffffff; u16 assoc_cap = 0; u32 basic_rates = 0x80000000',
    '"x"',
  ),
];
