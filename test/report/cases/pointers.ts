import { plain as c } from './case.ts';

const four = 'u8 a[4] = c0 a8 01 02';
const v6 = (bytes: string): string => `u8 a[16] = ${bytes}`;
const plainV6 = '20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01';
const bytes16 = '00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff';
const socket4 = '__data_loc u8[] s = 02 00 00 50 7f 00 00 01 00 00 00 00 00 00 00 00';
const socket6 = `__data_loc u8[] s = 0a 00 01 bb 00 00 00 00 ${plainV6} 00 00 00 00`;

/** `%p` and its extensions. */
export const pointerCases = [
  c('addresses', 'void * p = 0xffffffff81000123; void * z = 0', '"%p %p", REC->p, REC->z'),
  c('address with width', 'void * p = 0x1234', '"[%20p] [%-20p]", REC->p, REC->p'),
  c('hashed and plain', 'void * p = 0x1234', '"%px %pK", REC->p, REC->p'),
  c('functions', 'void * p = 0xffffffff81000104', '"%ps %pS %pf %pF", REC->p, REC->p, REC->p, REC->p'),
  c('function at its start', 'void * p = 0xffffffff81000000', '"%ps %pS", REC->p, REC->p'),
  c('function before the first', 'void * p = 0xffff', '"%ps %pS", REC->p, REC->p'),
  c('function after the last', 'void * p = 0xffffffff8fffffff', '"%ps %pS", REC->p, REC->p'),
  c('function of a module', 'void * p = 0xffffffff81000210', '"%ps %pS", REC->p, REC->p'),
  c('function with base', 'void * p = 0xffffffff81000210', '"%pSb %pSR %pB", REC->p, REC->p, REC->p'),
  c('IPv4', four, '"%pI4 %pi4 %pI4h %pI4n %pI4l %pI4b", REC->a, REC->a, REC->a, REC->a, REC->a, REC->a'),
  c('IPv4 of the wrong size', 'u8 a[5] = 01 02 03 04 05', '"%pI4", REC->a'),
  c('IPv6', v6(plainV6), '"%pI6 %pi6 %pI6c", REC->a, REC->a, REC->a'),
  c('IPv6, all zeros', v6('00 '.repeat(15) + '00'), '"%pI6c", REC->a'),
  c('IPv6, two runs', v6('00 01 00 00 00 00 00 02 00 00 00 00 00 00 00 03'), '"%pI6c", REC->a'),
  c('IPv6, a single zero', v6('00 01 00 00 00 02 00 03 00 04 00 05 00 06 00 07'), '"%pI6c", REC->a'),
  c('IPv6, zeros at the end', v6('00 01 00 02 00 03 00 04 00 05 00 06 00 00 00 00'), '"%pI6c", REC->a'),
  c(
    'IPv6, IPv4 mapped',
    v6('00 00 00 00 00 00 00 00 00 00 ff ff c0 a8 01 02'),
    '"%pI6c %pI6", REC->a, REC->a',
  ),
  c('IPv6, ISATAP', v6('fe 80 00 00 00 00 00 00 02 00 5e fe c0 a8 01 02'), '"%pI6c", REC->a'),
  c(
    'socket address IPv4',
    socket4,
    '"%pIS %piS %pISp %pISpc %pISc", __get_dynamic_array(s), __get_dynamic_array(s), __get_dynamic_array(s), __get_dynamic_array(s), __get_dynamic_array(s)',
  ),
  c(
    'socket address IPv6',
    socket6,
    '"%pIS %piS %pISp %pISpc %pISc", __get_dynamic_array(s), __get_dynamic_array(s), __get_dynamic_array(s), __get_dynamic_array(s), __get_dynamic_array(s)',
  ),
  c('socket address with flags', socket4, '"%pISpfsc %pISh", __get_sockaddr(s), __get_sockaddr(s)'),
  c(
    'socket address in a field',
    'u8 s[16] = 02 00 00 50 7f 00 00 01 00 00 00 00 00 00 00 00',
    '"%pISpc", REC->s',
  ),
  c(
    'socket address of an unknown family',
    '__data_loc u8[] s = 07 00 00 50 7f 00 00 01',
    '"<%pISpc>", __get_dynamic_array(s)',
  ),
  c(
    'socket address that is too short',
    '__data_loc u8[] s = 02 00 00 50',
    '"<%pISpc>", __get_dynamic_array(s)',
  ),
  c('MAC', 'u8 a[6] = 00 11 22 aa bb cc', '"%pM %pm %pMF %pMR %pmR", REC->a, REC->a, REC->a, REC->a, REC->a'),
  c('MAC of the wrong size', 'u8 a[5] = 00 11 22 aa bb', '"%pM", REC->a'),
  c('MAC of a number', 'int a = 5', '"%pM %pM", 5, REC->a + 1'),
  c('UUID', v6(bytes16), '"%pU %pUb %pUB %pUl %pUL", REC->a, REC->a, REC->a, REC->a, REC->a'),
  c('UUID of the wrong size', 'u8 a[5] = 00 11 22 aa bb', '"%pU", REC->a'),
  c(
    'bytes',
    'int n = 4; __data_loc u8[] a = 00 11 22 aa bb',
    '"%*ph|%*phC|%*phD|%*phN", REC->n, __get_dynamic_array(a), REC->n, __get_dynamic_array(a), REC->n, __get_dynamic_array(a), REC->n, __get_dynamic_array(a)',
  ),
  c(
    'bytes, number by the array',
    '__data_loc u8[] a = 00 11 22',
    '"%*ph", __get_dynamic_array_len(a), __get_dynamic_array(a)',
  ),
  c(
    'bytes, more than there are',
    'int n = 9; __data_loc u8[] a = 00 11 22',
    '"%*ph", REC->n, __get_dynamic_array(a)',
  ),
  c('bytes of a field', 'int n = 2; u8 a[3] = 00 11 22', '"%*ph", REC->n, REC->a'),
  c('an error pointer', 's64 e = -5', '"%pe", REC->e'),
  c('a dentry', 'void * d = 0x1234', '"%pd %pD2 %pV", REC->d, REC->d, REC->d'),
  c('addresses cast', 'u64 p = 0x1234', '"%p", (void *)(unsigned long)REC->p'),
  c('functions cast', 'u64 p = 0xffffffff81000004', '"%pS", (void *)REC->p'),
];
