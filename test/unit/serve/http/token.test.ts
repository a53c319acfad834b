import assert from 'node:assert/strict';
import { chmodSync, statSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Access, readToken, tokenPath } from '../../../../src/serve/http/token.ts';
import { scratchDir } from '../../trace/samples.ts';

describe('the token', () => {
  it('is made once, for its owner only', (test) => {
    const dir = scratchDir(test);
    const token = readToken(dir);
    assert.match(token, /^[\w-]{43}$/);
    assert.equal(statSync(tokenPath(dir)).mode & 0o777, 0o600);
    assert.equal(readToken(dir), token);
  });

  it('is not taken from a file that others can read, a link, or another text', (test) => {
    const dir = scratchDir(test);
    const token = readToken(dir);
    chmodSync(tokenPath(dir), 0o640);
    assert.throws(() => readToken(dir), /only this user can read/);
    writeFileSync(tokenPath(dir), 'short\n', { mode: 0o600 });
    chmodSync(tokenPath(dir), 0o600);
    assert.throws(() => readToken(dir), /only this user can read/);
    unlinkSync(tokenPath(dir));
    writeFileSync(join(dir, 'other'), `${token}\n`, { mode: 0o600 });
    symlinkSync(join(dir, 'other'), tokenPath(dir));
    assert.throws(() => readToken(dir), /ELOOP/);
  });

  it('is known by a header or the cookie', () => {
    const token = 'a'.repeat(43);
    const access = new Access(token);
    assert.ok(access.knows(`Bearer ${token}`, undefined));
    assert.ok(access.knows(undefined, `x=1; trace-host-token=${token}; y=2`));
    for (const [authorization, cookie] of [
      [undefined, undefined],
      [`Basic ${token}`, undefined],
      [`Bearer ${token}b`, undefined],
      ['Bearer wrong', `trace-host-token=${token}`],
      [undefined, `xtrace-host-token=${token}`],
      [undefined, 'trace-host-token='],
    ])
      assert.ok(!access.knows(authorization, cookie), `${authorization} ${cookie}`);
  });

  it('is exchanged for a code once, within a minute, for the newest 16 codes', () => {
    const access = new Access('a'.repeat(43));
    const { code } = access.newCode(0);
    assert.match(
      access.cookieFor(code, true, 60_000) ?? '',
      /^trace-host-token=a{43}; Path=\/; HttpOnly; SameSite=Strict; Secure$/,
    );
    assert.equal(access.cookieFor(code, true, 60_000), undefined, 'again');
    assert.equal(access.cookieFor(access.newCode(0).code, false, 60_001), undefined, 'too late');
    assert.equal(access.cookieFor('', false, 0), undefined);
    const [first, ...others] = Array.from({ length: 17 }, () => access.newCode(0).code);
    assert.equal(access.cookieFor(first!, false, 0), undefined, 'the oldest');
    assert.ok(others.every((each) => access.cookieFor(each, false, 0) !== undefined));
  });
});
