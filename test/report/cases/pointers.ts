import { type Case, formats, plain as c } from './case.ts';

const ipv6Records = [
  '00000000000000000000000000000000',
  '00000000000000000000000000000001',
  '20010db8000000000000000000000001',
  '20010db8000000010000000000000001',
  '20010db8000100000001000000000000',
  '00000000000000000000ffffc0a80001',
  'fe800000000000000000000000000000',
  'fe8000000000000002005efec0a80102',
  'fe8000000000000000005efe0a000001',
  '0123456789abcdeffedcba9876543210',
  '00010000000200000003000000040000',
  '00000000000000000000000000010000',
  '00010000000000020000000000000003',
  '00010000000200030004000500060007',
  '00010002000300040005000600000000',
].map((text) => [...Buffer.from(text, 'hex')]);
const macs = [
  [0, 0, 0, 0, 0, 0],
  [1, 0x23, 0xab, 0xcd, 0xef, 0xff],
];

const pointerFields = 'u64 address; u32 small; s64 sq';

function socketAddress(family: number, port: number, address: readonly number[]): number[] {
  const head = [family & 0xff, family >> 8, port >> 8, port & 0xff];
  return family === 10
    ? [...head, 0, 0, 0, 0, ...address, 0, 0, 0, 0]
    : [...head, ...address, ...Array<number>(8).fill(0)];
}
const socketAddresses = [
  ...ipv6Records.map((address) => socketAddress(10, 443, address)),
  socketAddress(2, 0, [127, 0, 0, 1]),
  socketAddress(2, 65535, [10, 200, 3, 99]),
  socketAddress(1, 2, [1, 2, 3, 4]),
];
const internetExtensions = ['4', '4h', '4n', '4b', '4l', '6', '6c', '6h'].flatMap((rest) => [
  `I${rest}`,
  `i${rest}`,
]);
const socketExtensions = ['', 'p', 'c', 'pc', 'pf', 'ps', 'pfs', 'pfsc', 'ph', 'pn', 'h', 'pcn'].flatMap(
  (rest) => [`IS${rest}`, `iS${rest}`],
);

/** Conversions of pointers and their extensions. */
export const pointerCases: readonly Case[] = [
  ...formats(
    pointerFields,
    [
      [],
      [0xffffffff81000000n, 5, 0x123],
      [0xffffffff81000104n, 5, 0x123],
      [0xffffffff81000210n, 5, 0x123],
      [0xffff, 5, 0x123],
      [0xffffffff81000100n, 0x100, -1],
      [0xffffffff81000142n, 5, 0x123],
      [0xffffffff81000300n, 5, 0x123],
      [0xffffffff81000310n, 5, 0x123],
      [0xffffffff81000400n, 5, 0x123],
      [0xffffffff81ffffffn, 5, 0x123],
      [0xffffffff80000000n, 0xffffffff, -(1n << 63n)],
    ],
    [
      ...[
        '',
        'x',
        'S',
        's',
        'F',
        'f',
        'SR',
        'Sb',
        'sR',
        'B',
        'K',
        'a',
        'd',
        'D2',
        'e',
        'E',
        'V',
        'C',
        'G',
        't',
      ].flatMap((extension) => [
        `"%p${extension}|", REC->address`,
        `"%p${extension}|", (void *)REC->address`,
      ]),
      ...['%20p', '%-20p', '%020p', '%#p', '%.5p', '%lp', '%20pS', '%-20ps', '%*p'].map(
        (spec) => `"${spec}|", (void *)REC->address`,
      ),
      '"%p", REC->small',
      '"%p", (void *)REC->small',
      '"%p", (void *)(unsigned long)REC->address',
      '"%p", REC->sq',
      '"%p", REC->sq + 1',
      '"%pS %d", (void *)(REC->address + 2), REC->small',
      '"%ps %ps", (void *)REC->address, (void *)REC->sq',
      '"%pS", first_function',
      '"%p", 0',
      '"%*p|", 20, REC->address',
      '"%pI4", REC->small',
      '"%pI4", &REC->small',
      '"%pM", REC->small',
      '"%pU", REC->small',
      '"%pI6", REC->small',
      '"%pISpc", REC->small',
      '"%pM", 5',
      '"%pU", "text"',
      '"%pIx", REC->small',
      '"%pI", REC->small',
    ],
  ),
  ...formats(
    'u8 a[4]',
    [[[0, 0, 0, 0]], [[192, 168, 1, 20]], [[255, 9, 99, 100]]],
    [
      ...internetExtensions.map((extension) => `"%p${extension}|", REC->a`),
      '"%pI4 %pI4", REC->a, REC->a',
      '"%20pI4|", REC->a',
      '"%pI4", &REC->a',
      '"%pI4", (void *)REC->a',
    ],
  ),
  ...formats(
    'u8 a[16]',
    ipv6Records.map((address) => [address]),
    [
      ...internetExtensions.map((extension) => `"%p${extension}|", REC->a`),
      ...['U', 'Ub', 'UB', 'Ul', 'UL', 'Ux'].map((extension) => `"%p${extension}|", REC->a`),
    ],
  ),
  ...formats(
    'u8 a[6]',
    macs.map((address) => [address]),
    ['M', 'MF', 'MR', 'm', 'mR', 'mF', 'Mx', 'MRF'].map((extension) => `"%p${extension}|", REC->a`),
  ),
  ...formats(
    'u8 a[28]',
    socketAddresses.map((address) => [address]),
    socketExtensions.map((extension) => `"%p${extension}|", REC->a`),
  ),
  ...formats(
    'u32 x; __data_loc u8[] a',
    socketAddresses.map((address) => [1, address]),
    [
      ...socketExtensions.map((extension) => `"%p${extension}|", __get_sockaddr(a)`),
      '"%pISpc", __get_dynamic_array(a)',
      '"%pISpc", (struct sockaddr *)__get_sockaddr(a)',
    ],
  ),
  ...formats(
    'u32 x; __rel_loc u8[] a',
    socketAddresses.map((address) => [1, address]),
    [
      '"%pISpc", __get_rel_sockaddr(a)',
      '"%pISpc", __get_sockaddr_rel(a)',
      '"%pISpc", __get_rel_dynamic_array(a)',
    ],
  ),
  c('IPv4 of the wrong size', 'u8 a[5] = 01 02 03 04 05', '"%pI4", REC->a'),
  c(
    'socket address in a short field',
    'u8 s[16] = 02 00 00 50 7f 00 00 01 00 00 00 00 00 00 00 00',
    '"%pISpc", REC->s',
  ),
  c(
    'socket address that is too short',
    '__data_loc u8[] s = 02 00 00 50',
    '"<%pISpc>", __get_dynamic_array(s)',
  ),
  c('MAC of the wrong size', 'u8 a[5] = 00 11 22 aa bb', '"%pM", REC->a'),
  c('MAC of a number', 'int a = 5', '"%pM %pM", 5, REC->a + 1'),
  c('UUID of the wrong size', 'u8 a[5] = 00 11 22 aa bb', '"%pU", REC->a'),
  c('bytes of a field', 'int n = 2; u8 a[3] = 00 11 22', '"%*ph", REC->n, REC->a'),
  c('an error pointer', 's64 e = -5', '"%pe", REC->e'),
];
