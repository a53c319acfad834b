import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { repoRoot } from '../../repo-root.ts';

/** A suite whose guests have numbers; its output lists each `restore` and `close`, and which guest a test had. */
const suite = `
import { describe, test } from 'node:test';
import { shareGuest } from ${JSON.stringify(pathToFileURL(join(repoRoot, 'dist/test/guest/support/share-guest.js')))};
describe('suite', () => {
  let restored = 0;
  let guest;
  const say = (what) => console.log('SAID', what, guest.number);
  shareGuest(
    async () => {
      const number = ++restored;
      console.log('SAID restore', number);
      return { number, running: true, close: async () => console.log('SAID close', number) };
    },
    (shared) => { guest = shared; },
  );
  test('passes', () => say('a'));
  test('passes too', () => say('b'));
  test('fails', () => { say('c'); throw new Error('failed'); });
  test('after one that failed', () => { say('d'); guest.running = false; });
  test('after a panic at the very end', () => say('e'));
});
`;

test('tests share a guest until one fails or the guest ends, and then get another', (context) => {
  const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-share-'));
  context.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'suite.test.mjs');
  writeFileSync(file, suite);
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { stdout } = spawnSync(process.execPath, ['--test', '--test-reporter', 'tap', file], {
    encoding: 'utf8',
    env,
  });
  assert.deepEqual(
    [...stdout.matchAll(/SAID (.+)/g)].map(([, said]) => said),
    [
      ['restore 1', 'a 1', 'b 1', 'c 1', 'close 1'],
      ['restore 2', 'd 2', 'close 2'],
      ['restore 3', 'e 3', 'close 3'],
    ].flat(),
  );
  assert.match(stdout, /^# fail 1$/m);
});
