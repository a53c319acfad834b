import { casesOf } from './case.ts';

const expire = casesOf('timer:hrtimer_expire_entry');
const start = casesOf('timer:hrtimer_start');
const kfree = casesOf('kmem:kfree');
const kmalloc = casesOf('kmem:kmalloc');
const cacheFree = casesOf('kmem:kmem_cache_free');
const tlb = casesOf('tlb:tlb_flush');
const futex = casesOf('syscalls:sys_enter_futex');
const bss = casesOf('mac80211:drv_bss_info_changed');

const f2 = '0xffffffff81000104';
const futexFields = (op: string): string =>
  `int nr = 202; u32 * uaddr = 0x7f0000001000; int op = ${op}; u32 val = 7; void * utime = 0x20; u32 * uaddr2 = 0x7f0000002000; u32 val3 = 9`;
const futexWide = (op: string): string =>
  `int nr = 202; u32 * uaddr = 0x7f0000001000; long op = ${op}; long val = -7; void * utime = 0x20; u32 * uaddr2 = 0x2000; long val3 = -1`;
const printFutex = '"uaddr: 0x%08lx, op: 0x%08lx", ((unsigned long)(REC->uaddr)), ((unsigned long)(REC->op))';

/** Timers, memory, TLB, futexes, wireless networks. */
export const pluginCases = [
  expire('usual', `void * hrtimer = 0xffff888000001000; s64 now = 123456789; void * function = ${f2}`, '"x"'),
  expire('newer name', `void * timer = 0xffff888000001000; s64 now = -1; void * function = 0x1234`, '"x"'),
  expire('no fields', 'int a = 1', '"x"'),
  start(
    'usual',
    `void * hrtimer = 0xffff888000001000; void * function = ${f2}; s64 expires = 5000; s64 softexpires = 4000; int mode = 1`,
    '"x"',
  ),
  start(
    'unknown function',
    'void * hrtimer = 0; void * function = 0x12; s64 expires = -5; s64 softexpires = 0',
    '"x"',
  ),
  start('no fields', 'int a = 1', '"x"'),
  kfree(
    'known function',
    `unsigned long call_site = ${f2}; const void * ptr = 0x1000`,
    '"call_site=%pS ptr=%p", (void *)REC->call_site, REC->ptr',
  ),
  kfree(
    'unknown function',
    'unsigned long call_site = 0x12; const void * ptr = 0x1000',
    '"call_site=%pS ptr=%p", (void *)REC->call_site, REC->ptr',
  ),
  kfree('no function', 'const void * ptr = 0x1000', '"ptr=%p", REC->ptr'),
  kmalloc(
    'known function',
    `unsigned long call_site = ${f2}; size_t bytes_req = 100`,
    '"bytes=%zu", REC->bytes_req',
  ),
  cacheFree(
    'known function',
    `unsigned long call_site = ${f2}; __data_loc char[] name = "cache"`,
    '"name=%s", __get_str(name)',
  ),
  ...[0, 1, 2, 3, 4].map((reason) =>
    tlb(`reason ${reason}`, `int reason = ${reason}; unsigned long pages = 5`, '"x"'),
  ),
  tlb('all pages', 'int reason = -1; unsigned long pages = 0xffffffffffffffff', '"x"'),
  tlb('no reason', 'unsigned long pages = 5', '"p %ld", REC->pages'),
  tlb('no pages', 'int reason = 1', '"x"'),
  ...Array.from({ length: 15 }, (_, op) => futex(`operation ${op}`, futexFields(String(op)), printFutex)),
  futex('private', futexFields('129'), printFutex),
  futex('private with a clock', futexFields('393'), printFutex),
  futex('wide', futexWide('0'), printFutex),
  futex('wide, private', futexWide('132'), printFutex),
  futex('beyond 32 bits', futexWide('0x100000001'), printFutex),
  futex('no fields', 'int nr = 202', '"nr %d", REC->nr'),
  futex('one field is missing', 'u32 * uaddr = 0x7f0000001000; int op = 0; u32 val = 7', '"nr %d", REC->op'),
  bss(
    'usual',
    'char wiphy_name[32] = "phy0"; __data_loc char[] vif_name = "wlan0"; u32 vif_type = 2; bool assoc = 01; u16 aid = 3; bool cts = 00; bool shortpre = 01; bool shortslot = 00; u8 dtimper = 02; u16 bcnint = 100; u16 assoc_cap = 0x431; u64 basic_rates = 15; bool enable_beacon = 01; u16 ht_operation_mode = 7',
    '"x"',
  ),
  bss(
    'few fields',
    'char wiphy_name[32] = "phy0"; u32 vif_type = 0xffffffff; u16 assoc_cap = 0; u32 basic_rates = 0x80000000',
    '"x"',
  ),
  bss('no fields', 'int a = 1', '"x"'),
];
