import { plain as c } from './case.ts';

const names = '{ 1, "ONE" }, { 2, "TWO" }, { 4, "FOUR" }';
const flagsOf = (value: string): string => `int a = ${value}`;
const flags = `"%s", __print_flags(REC->a, "|", ${names})`;

/** `%s`: texts, names, lists. */
export const textCases = [
  c(
    'texts',
    'char a[8] = "abc"',
    '"[%s] [%5s] [%-5s] [%.2s] [%5.2s]", REC->a, REC->a, REC->a, REC->a, REC->a',
  ),
  c('a text without an end', 'char a[4] = 61 62 63 64; char b[4] = "x"', '"%s|%s", REC->a, REC->b'),
  c('a text with control characters', 'char a[8] = 61 09 62 1b 5b c3 a9 00', '"%s", REC->a'),
  c('an empty text', 'char a[4] = 00 00 00 00', '"[%s][%3s]", REC->a, REC->a'),
  c('width by argument', 'int n = 6; char a[4] = "x"', '"[%*s][%.*s]", REC->n, REC->a, REC->n, REC->a'),
  c('precision by argument', 'int n = 2; char a[4] = "xyz"', '"[%.*s]", REC->n, REC->a'),
  c('a constant', 'int a = 1', '"[%s] [%4s]", "x", "y"'),
  c(
    'a condition of constants',
    'int a = 1; int z = 0',
    '"%s %s", REC->a ? "yes" : "no", REC->z ? "yes" : "no"',
  ),
  c(
    'a condition of fields',
    'int a = 1; char b[4] = "abc"; char d[4] = "xyz"',
    '"%s %s", REC->a ? REC->b : REC->d, !REC->a ? REC->b : REC->d',
  ),
  c('conditions in conditions', 'int a = 0; int b = 1', '"%s", REC->a ? "x" : REC->b ? "y" : "z"'),
  c(
    'a condition with a name list',
    'int a = 2',
    `"%s", REC->a ? __print_flags(REC->a, "|", ${names}) : "none"`,
  ),
  c('a dynamic text', '__data_loc char[] a = "dynamic"', '"%s [%10s]", __get_str(a), __get_str(a)'),
  c('a relative text', '__rel_loc char[] a = "relative"; int b = 1', '"%s %d", __get_rel_str(a), REC->b'),
  c(
    'two dynamic texts',
    '__data_loc char[] a = "one"; __data_loc char[] b = "two"',
    '"%s %s", __get_str(b), __get_str(a)',
  ),
  c('a dynamic text of length 0', '__data_loc char[] a = ; int b = 7', '"[%s] %d", __get_str(a), REC->b'),
  c('a text of a pointer', 'char * a = 0xffffffff82000140', '"%s", REC->a'),
  c('an unknown pointer', 'char * a = 0xffffffff82000999', '"%s", REC->a'),
  c('a number as text', 'int a = 5', '"[%s]", REC->a + 1'),
  c('a 4-byte field as text', 'int a = 0x434241', '"[%s]", REC->a'),
  c('flags: one', flagsOf('2'), flags),
  c('flags: all', flagsOf('7'), flags),
  c('flags: none', flagsOf('0'), flags),
  c('flags: a rest', flagsOf('0x18'), flags),
  c('flags: some and a rest', flagsOf('0x1b'), flags),
  c('flags: zero has a name', flagsOf('0'), `"%s", __print_flags(REC->a, "|", { 0, "NONE" }, ${names})`),
  c(
    'flags: an unknown name',
    flagsOf('0'),
    `"%s", __print_flags(REC->a, "|", { UNKNOWN, "NONE" }, ${names})`,
  ),
  c(
    'flags: combined',
    flagsOf('7'),
    '"%s", __print_flags(REC->a, "|", { 3, "THREE" }, { 1, "ONE" }, { 4, "FOUR" })',
  ),
  c(
    'flags: computed',
    flagsOf('0x1010'),
    '"%s", __print_flags(REC->a, "|", { (1 << 4), "BIT4" }, { 1UL << 12, "BIT12" })',
  ),
  c(
    'flags: with a cast',
    flagsOf('0x10'),
    '"%s", __print_flags(REC->a, "|", { (( u32)0x10u), "X" }, { (unsigned long)0x20, "Y" })',
  ),
  c(
    'flags: 64 bits',
    'u64 a = 0x8000000100000001',
    '"%s", __print_flags(REC->a, "|", { 1ULL << 63, "TOP" }, { 0x100000000, "BIT32" }, { 1, "ONE" })',
  ),
  c('flags: negative int', 'int a = -1', flags),
  c('flags: no delimiter', flagsOf('3'), `"%s", __print_flags(REC->a, "", ${names})`),
  c('flags: width', flagsOf('3'), `"[%8s]", __print_flags(REC->a, "|", ${names})`),
  c('flags: of an expression', flagsOf('6'), `"%s", __print_flags(REC->a & 2, "|", ${names})`),
  c('symbol', flagsOf('2'), `"%s", __print_symbolic(REC->a, ${names})`),
  c('symbol: unknown', flagsOf('9'), `"%s", __print_symbolic(REC->a, ${names})`),
  c('symbol: negative int', 'int a = -1', '"%s", __print_symbolic(REC->a, { -1, "MINUS" }, { 1, "ONE" })'),
  c(
    'symbol: negative 64 bits',
    's64 a = -1',
    '"%s", __print_symbolic(REC->a, { -1, "MINUS" }, { 1, "ONE" })',
  ),
  c(
    'symbol: of softirqs',
    'int a = 3',
    '"%s", __print_symbolic(REC->a, { NET_RX_SOFTIRQ, "NET_RX" }, { 1, "ONE" })',
  ),
  c('symbol: twice', flagsOf('1'), '"%s", __print_symbolic(REC->a, { 1, "FIRST" }, { 1, "SECOND" })'),
  c(
    'symbol: computed',
    flagsOf('12'),
    '"%s", __print_symbolic(REC->a, { 3 << 2, "TWELVE" }, { 16 - 1, "FIFTEEN" })',
  ),
  c(
    'symbol: signed constants',
    flagsOf('1'),
    '"%s", __print_symbolic(REC->a, { -1 < 1, "LESS" }, { 0, "ZERO" })',
  ),
  c('symbol: width', flagsOf('1'), `"[%-6s]", __print_symbolic(REC->a, ${names})`),
  c(
    'hex',
    '__data_loc u8[] a = 00 11 fe',
    '"%s %s", __print_hex(__get_dynamic_array(a), 3), __print_hex_str(__get_dynamic_array(a), 3)',
  ),
  c('hex of a field', 'u8 a[3] = 00 11 fe; int n = 2', '"%s", __print_hex(REC->a, REC->n)'),
  c('hex of an expression', 'u8 a[3] = 00 11 fe; int n = 2', '"%s", __print_hex(REC->a, REC->n + 1)'),
  c(
    'arrays of bytes',
    '__data_loc u8[] a = 00 11 fe',
    '"%s", __print_array(__get_dynamic_array(a), __get_dynamic_array_len(a), 1)',
  ),
  c(
    'arrays of shorts',
    '__data_loc u16[] a = 34 12 78 56',
    '"%s", __print_array(__get_dynamic_array(a), __get_dynamic_array_len(a) / 2, 2)',
  ),
  c(
    'arrays of ints and longs',
    'u32 a[2] = 1, 0xffffffff; u64 b[2] = 1, 0xffffffffffffffff',
    '"%s %s", __print_array(REC->a, 2, 4), __print_array(REC->b, 2, 8)',
  ),
  c('arrays of nothing', '__data_loc u8[] a = 00', '"%s", __print_array(__get_dynamic_array(a), 0, 1)'),
  c(
    'arrays of odd sizes',
    '__data_loc u8[] a = 01 02 03 04',
    '"%s", __print_array(__get_dynamic_array(a), 2, 3)',
  ),
  c('bitmask', '__data_loc unsigned long[] a = 0f 00 00 00 01 00 00 80', '"%s", __get_bitmask(a)'),
  c(
    'bitmask of two words',
    '__data_loc unsigned long[] a = 0f 00 00 00 01 00 00 80 ff 00 00 00 00 00 00 00',
    '"%s", __get_bitmask(a)',
  ),
  c('cpumask', '__data_loc unsigned long[] a = 0f 00 00 00 01 00 00 80', '"%s", __get_cpumask(a)'),
  c(
    'relative bitmask',
    '__rel_loc unsigned long[] a = 05 00 00 00 00 00 00 00',
    '"%s", __get_rel_bitmask(a)',
  ),
  c(
    'cpumask: pairs, singles, none',
    '__data_loc unsigned long[] a = 0b 00 00 00 00 00 00 00; __data_loc unsigned long[] b = 00 00 00 00 00 00 00 00',
    '"%s [%s]", __get_cpumask(a), __get_cpumask(b)',
  ),
  c('a device', 'int dev = 0x800001', '"%s", jbd2_dev_to_name(REC->dev)'),
  c(
    'device numbers',
    'u32 dev = 0x800001',
    '"%d,%d", ((unsigned int) ((REC->dev) >> 20)), ((unsigned int) ((REC->dev) & ((1U << 20) - 1)))',
  ),
  c(
    'hypercalls',
    'u32 op = 1; u32 p = 48; u32 q = 11',
    '"%s %s %s", xen_hypercall_name(REC->op), xen_hypercall_name(REC->p), xen_hypercall_name(REC->q)',
  ),
  c('jiffies as text', 'u64 a = 0xffffffffffffffff', '"%s", jiffies_to_msecs(REC->a)'),
];
