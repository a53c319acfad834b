import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Asked, isLoopback, isOwnHost, isSameSite, ownNames } from '../../../../src/serve/http/names.ts';

describe('the names of the daemon', () => {
  it('are those of loopback, its address, and those of its certificate', () => {
    const names = ownNames(
      '192.0.2.7',
      'DNS:trace.example, DNS:*.wild.example, IP Address:192.0.2.9, IP Address:2001:DB8::1',
    );
    for (const host of [
      'localhost',
      'LOCALHOST:7117',
      '127.0.0.1:7117',
      '[::1]:1',
      '192.0.2.7',
      'trace.example:443',
      '[2001:db8::1]:7117',
    ])
      assert.ok(isOwnHost(host, names), host);
    for (const host of [
      undefined,
      '',
      'evil.example',
      'localhost.evil.example',
      'a@localhost',
      'localhost:x',
      'localhost:1:2',
      'localhost/',
      '[::2]',
      '127.0.0.2',
      'x.wild.example',
    ])
      assert.ok(!isOwnHost(host, names), host);
  });

  it('do not include the address that stands for all', () => {
    assert.ok(!isOwnHost('0.0.0.0', ownNames('0.0.0.0', undefined)));
    assert.ok(!isOwnHost('[::]', ownNames('::', undefined)));
  });

  it('tell loopback addresses', () => {
    assert.deepEqual(['127.0.0.1', '127.9.9.9', '::1'].map(isLoopback), [true, true, true]);
    assert.deepEqual(
      ['0.0.0.0', '::', '10.0.0.1', '127.evil', '128.0.0.1'].map(isLoopback),
      Array(5).fill(false),
    );
  });
});

describe('a request', () => {
  const asked: Asked = {
    method: 'POST',
    host: '127.0.0.1:7117',
    origin: 'http://127.0.0.1:7117',
    fetchSite: 'same-origin',
    hasBearer: false,
    isTls: false,
  };

  it('of the page itself, or of a script with the token, is from this site', () => {
    assert.ok(isSameSite(asked));
    assert.ok(isSameSite({ ...asked, fetchSite: undefined }));
    assert.ok(isSameSite({ ...asked, origin: undefined, fetchSite: undefined, hasBearer: true }));
    assert.ok(isSameSite({ ...asked, method: 'GET', origin: undefined, fetchSite: 'none' }));
    assert.ok(isSameSite({ ...asked, isTls: true, origin: 'https://127.0.0.1:7117' }));
  });

  it('of another origin, also of another port of this machine, is not', () => {
    for (const origin of [
      'http://127.0.0.1:8000',
      'http://localhost:7117',
      'https://127.0.0.1:7117',
      'null',
      '',
    ])
      assert.ok(!isSameSite({ ...asked, origin }), origin);
    assert.ok(!isSameSite({ ...asked, origin: undefined }), 'a cookie alone');
    for (const fetchSite of ['cross-site', 'same-site']) {
      assert.ok(!isSameSite({ ...asked, fetchSite }), fetchSite);
      assert.ok(!isSameSite({ ...asked, method: 'GET', origin: undefined, fetchSite }), fetchSite);
    }
    assert.ok(!isSameSite({ ...asked, hasBearer: true, origin: 'http://evil.example' }));
  });
});
