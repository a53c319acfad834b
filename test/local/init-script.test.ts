import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { repoRoot } from '../repo-root.ts';
import { toolSkip } from './harness/skip.ts';

/** Prints its arguments, and ends a moment after a signal. */
const program = `#!/bin/sh
trap 'sleep 1; echo ended >&2; exit 0' TERM
echo "started $*" >&2
while :; do sleep 0.1; done
`;

test('the init script starts, shows the status, restarts and stops', {
  skip: toolSkip('start-stop-daemon'),
}, (context) => {
  const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-init-'));
  context.after(() => {
    run('stop');
    rmSync(dir, { recursive: true, force: true });
  });
  const file = (name: string): string => join(dir, name);
  writeFileSync(file('program'), program);
  writeFileSync(file('config'), '{}');
  chmodSync(file('program'), 0o755);
  const script = readFileSync(join(repoRoot, 'packaging/sysvinit/trace-agent'), 'utf8')
    .replace(/^program=.*/m, `program=${file('program')}`)
    .replace(/^config=.*/m, `config=${file('config')}`)
    .replace(/^log=.*/m, `log=${file('log')}`)
    .replace(/^pidfile=.*/m, `pidfile=${file('pid')}`);
  const run = (order: string): number | null =>
    spawnSync('sh', ['-s', '--', order], { input: script, encoding: 'utf8', timeout: 300_000 }).status;
  const log = (): string => (existsSync(file('log')) ? readFileSync(file('log'), 'utf8') : '');
  const said = (text: string): void => {
    for (const untilMs = performance.now() + 60_000; log() !== text; spawnSync('sleep', ['0.05']))
      assert.ok(performance.now() < untilMs, log());
  };

  assert.equal(run('status'), 3);
  assert.equal(run('start'), 0);
  const started = `started --config ${file('config')}\n`;
  said(started);
  assert.equal(run('status'), 0);
  const pid = readFileSync(file('pid'), 'utf8').trim();
  assert.equal(run('start'), 0, 'once is enough');
  assert.equal(readFileSync(file('pid'), 'utf8').trim(), pid);
  assert.equal(run('restart'), 0);
  said(`${started}ended\n${started}`);
  assert.notEqual(readFileSync(file('pid'), 'utf8').trim(), pid);
  rmSync(file('config'));
  assert.equal(run('stop'), 0);
  assert.equal(log(), `${started}ended\n${started}ended\n`, 'it was waited for');
  assert.equal(existsSync(file('pid')), false);
  assert.equal(run('stop'), 0, 'nothing to do');
  assert.equal(run('start'), 0);
  said(`${started}ended\n${started}ended\nstarted \n`);
  assert.equal(run('no-such-order'), 2);

  assert.equal(run('stop'), 0);
  const stranger = spawn('sleep', ['60'], { stdio: 'ignore' });
  context.after(() => stranger.kill());
  writeFileSync(file('pid'), `${stranger.pid}\n`);
  assert.equal(run('status'), 3, 'an agent is gone, and its number is another’s');
  assert.equal(run('stop'), 0);
  assert.match(readFileSync(`/proc/${stranger.pid}/stat`, 'utf8'), /^\d+ \(sleep\) [RS]/);
});
