import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { capturedIn } from '../../../../src/serve/state/captured.ts';
import { scratchDir } from '../../trace/samples.ts';

it('captures of watches are listed, and names that lead elsewhere are not', (test) => {
  const dir = scratchDir(test);
  const captures = join(dir, 'w1', 'captures');
  mkdirSync(captures, { recursive: true });
  mkdirSync(join(dir, 'Not an id', 'captures'), { recursive: true });
  writeFileSync(join(captures, 't-web-panic.dat'), 'four');
  const why = {
    reason: 'panic',
    guest: 'web',
    at: '2026-01-01T00:00:00.000Z',
    text: '<b>',
    spanMs: 30,
    lost: 7,
  };
  const put = (name: string, value: unknown): void =>
    writeFileSync(join(captures, name), typeof value === 'string' ? value : JSON.stringify(value));
  put('t-web-panic.why.json', {
    ...why,
    files: ['/spool/t-web-panic.dat', 'gone-host.dat', '../../token', '..', 7, '.hidden'],
  });
  put('broken.why.json', '{');
  put('list.why.json', []);
  put('long.why.json', `"${'x'.repeat(2 << 20)}"`);
  const [one, ...more] = capturedIn(dir);
  assert.deepEqual(more, []);
  assert.ok(one);
  assert.match(one.view.id, /^c-[\da-f]{24}$/);
  assert.deepEqual(one.view.why, { reason: 'panic', text: '<b>' });
  assert.deepEqual([one.view.spanNs, one.view.lostBytes, one.view.bytes], [30e6, 7, 4]);
  assert.deepEqual(
    one.view.machines.map(({ name, host, file, bytes }) => [name, host, file, bytes]),
    [
      ['web', false, 't-web-panic.dat', 4],
      [null, true, 'gone-host.dat', 0],
      ['web', false, 'token', 0],
    ],
  );
  assert.deepEqual(capturedIn(join(dir, 'none')), []);
});
