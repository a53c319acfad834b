import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { cleaningRule } from '../../../../src/host/doctor/tmpfiles.ts';
import { scratchDir } from '../../trace/samples.ts';

/** Directories of rules, highest precedence first. */
function rules(test: TestContext, ...dirs: readonly Record<string, string>[]): string[] {
  const root = scratchDir(test);
  return dirs.map((files, index) => {
    const dir = join(root, String(index));
    mkdirSync(dir);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
    return dir;
  });
}

const tmp = 'q /tmp 1777 root root 10d\n';

it('a rule with an age cleans everything below its path', (test) => {
  const rule = cleaningRule('/tmp/virtio-trace', rules(test, { 'tmp.conf': `# x\n${tmp}` }));
  assert.equal(rule?.age, '10d');
  assert.equal(rule.line, tmp.trim());
  for (const dir of ['/run/virtio-trace', '/tmpfs/virtio-trace'])
    assert.equal(cleaningRule(dir, rules(test, { 'tmp.conf': tmp })), undefined, dir);
});

it('a rule without an age (also one for a longer path), an exclusion, or an overriding file prevents that', (test) => {
  const spared = [
    [{ 'tmp.conf': 'D /tmp 1777 root root -\n' }],
    [{ 'tmp.conf': tmp, 'own.conf': 'd /tmp/virtio-trace 0700 root root -\n' }],
    [{ 'tmp.conf': tmp, 'own.conf': 'x /tmp/virtio-*\n' }],
    [{ 'tmp.conf': '' }, { 'tmp.conf': tmp }],
    [{ 'tmp.txt': tmp }],
  ];
  for (const dirs of spared)
    assert.equal(cleaningRule('/tmp/virtio-trace', rules(test, ...dirs)), undefined, JSON.stringify(dirs));
});
