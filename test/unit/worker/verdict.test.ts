import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { errno } from '../../../src/native/error.ts';
import { portVerdict, ringVerdict } from '../../../src/worker/verdict.ts';

type Code = keyof typeof errno;

function sorted(verdict: (failure: number) => string): Record<string, Code[]> {
  const codes: Code[] = [
    'EAGAIN',
    'EINTR',
    'ENOMEM',
    'EBUSY',
    'ENODEV',
    'EINVAL',
    'EPIPE',
    'ENOSPC',
    'EDQUOT',
    'EFBIG',
    'EIO',
    'EBADF',
    'EFAULT',
    'ENXIO',
    'EPERM',
    'ESPIPE',
  ];
  const by: Record<string, Code[]> = {};
  for (const code of codes) (by[verdict(errno[code])] ??= []).push(code);
  return by;
}

describe('what a failed transfer means', () => {
  it('on the ring', () => {
    assert.deepEqual(sorted(ringVerdict), {
      again: ['EAGAIN', 'EINTR', 'ENOMEM', 'EBUSY', 'ENODEV'],
      gone: ['EINVAL'],
      fatal: ['EPIPE', 'ENOSPC', 'EDQUOT', 'EFBIG', 'EIO', 'EBADF', 'EFAULT', 'ENXIO', 'EPERM', 'ESPIPE'],
    });
  });

  it('on the port', () => {
    assert.deepEqual(sorted(portVerdict), {
      again: ['EAGAIN', 'EINTR', 'ENOMEM'],
      gone: ['ENODEV', 'EPIPE', 'ENOSPC', 'EDQUOT', 'EFBIG', 'EIO'],
      fatal: ['EBUSY', 'EINVAL', 'EBADF', 'EFAULT', 'ENXIO', 'EPERM', 'ESPIPE'],
    });
  });
});
