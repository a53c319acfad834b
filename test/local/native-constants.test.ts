import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { crossPrefix } from '../../tools/single/processor.ts';
import { tool } from '../guest/harness/tool.ts';
import { repoRoot } from '../repo-root.ts';
import { longTest } from '../set.ts';

const headers = [
  'fcntl.h',
  'grp.h',
  'linux/close_range.h',
  'poll.h',
  'pwd.h',
  'sched.h',
  'stddef.h',
  'sys/eventfd.h',
  'sys/ioctl.h',
  'sys/mman.h',
  'sys/prctl.h',
  'sys/socket.h',
  'sys/syscall.h',
  'sys/timerfd.h',
  'sys/un.h',
  'time.h',
];

/** Constants of src/native that stand for several of C. */
const combined: Readonly<Record<string, string>> = {
  PROT_READ_WRITE: 'PROT_READ | PROT_WRITE',
  PROT_READ_EXEC: 'PROT_READ | PROT_EXEC',
  MAP_PRIVATE_ANONYMOUS: 'MAP_PRIVATE | MAP_ANONYMOUS',
};

/** The constants with names of C, such as `const F_SETLK = 6;`, as assertions in C. */
function constants(): string[] {
  const dir = join(repoRoot, 'src/native');
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  const lines = files.flatMap((file) => {
    const text = readFileSync(join(dir, file), 'utf8');
    const found = text.matchAll(/^(?:export )?const ([A-Z]+_?[A-Za-z_]+) = (0[xo])?([\da-f_]+);/gm);
    return [...found].map(([, name = '', base = '', digits = '']) => {
      const value = Number(base + digits.replaceAll('_', ''));
      return `(${combined[name] ?? name}) == ${value}, "${file}: ${name}"`;
    });
  });
  assert.ok(lines.length > 35, `only ${lines.length} found`);
  return lines;
}

/** What src/native writes and reads by its place in memory, and what has no name of C there. */
const layouts = [
  ['char *', 8],
  ['long', 8],
  ['size_t', 8],
  ['off_t', 8],
  ['socklen_t', 4],
  ['gid_t', 4],
  ['struct timespec', 16, { tv_sec: 0, tv_nsec: 8 }],
  ['struct itimerspec', 32, { it_interval: 0, it_value: 16 }],
  ['struct flock', 32, { l_type: 0, l_whence: 2, l_start: 8, l_len: 16, l_pid: 24 }],
  ['struct pollfd', 8, { fd: 0, events: 4, revents: 6 }],
  ['struct sockaddr_un', 110, { sun_family: 0, sun_path: 2 }],
  ['struct iovec', 16, { iov_base: 0, iov_len: 8 }],
  ['struct cmsghdr', 16, { cmsg_len: 0, cmsg_level: 8, cmsg_type: 12 }],
  [
    'struct msghdr',
    56,
    {
      msg_name: 0,
      msg_namelen: 8,
      msg_iov: 16,
      msg_iovlen: 24,
      msg_control: 32,
      msg_controllen: 40,
      msg_flags: 48,
    },
  ],
  // only their beginning is read
  ['struct passwd', undefined, { pw_uid: 16, pw_gid: 20 }],
  ['struct group', undefined, { gr_gid: 16 }],
] as const;

const unnamed = [
  'CLOCK_REALTIME == 0',
  'CLOCK_MONOTONIC == 1',
  'CLOCK_MONOTONIC_RAW == 4',
  'CLOCK_BOOTTIME == 7',
  'EFD_NONBLOCK == O_NONBLOCK && EFD_CLOEXEC == O_CLOEXEC',
  'TFD_NONBLOCK == O_NONBLOCK && TFD_CLOEXEC == O_CLOEXEC && TFD_NONBLOCK == 04000',
  'O_TMPFILE == (020000000 | O_DIRECTORY)',
  '__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__',
].map((condition) => `${condition}, ""`);

/** A C file that compiles if src/native agrees with the headers of kernel and libc. */
function asserted(): string {
  const places = layouts.flatMap(([type, bytes, members = {}]) => [
    ...(bytes === undefined ? [] : [`sizeof(${type}) == ${bytes}, ""`]),
    ...Object.entries(members).map(([name, at]) => `offsetof(${type}, ${name}) == ${at}, ""`),
  ]);
  return [
    '#define _GNU_SOURCE',
    ...headers.map((name) => `#include <${name}>`),
    ...[...constants(), ...places, ...unnamed].map((line) => `_Static_assert(${line});`),
    '',
  ].join('\n');
}

describe('constants and layouts of src/native are those of the headers of kernel and libc', () => {
  const check = ['-x', 'c', '-fsyntax-only', '-'];

  test('for this machine', () => {
    tool('gcc', check, { input: asserted() });
  });

  longTest('for arm64', () => {
    tool(`${crossPrefix('arm64')}gcc`, check, { input: asserted() });
  });
});
