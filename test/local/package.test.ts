import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { version } from '../../src/base/version.ts';
import { repoRoot } from '../repo-root.ts';

describe("npm's package, installed in an empty directory", () => {
  let dir: string;

  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'virtio-trace-package-'));
    // prepack would compile what this test runs from.
    const pack = ['pack', '--silent', '--ignore-scripts', '--pack-destination', dir];
    execFileSync('npm', pack, { cwd: repoRoot, stdio: 'ignore' });
    const archive = readdirSync(dir).find((name) => name.endsWith('.tgz')) ?? '';
    const install = [
      'install',
      '--prefer-offline',
      '--no-audit',
      '--no-fund',
      '--omit=dev',
      join(dir, archive),
    ];
    mkdirSync(join(dir, 'prefix'));
    execFileSync('npm', [...install, '--prefix', join(dir, 'prefix')], {
      cwd: dir,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  });

  after(() => rmSync(dir, { recursive: true, force: true }));

  function run(program: string, ...args: string[]): string {
    const path = join(dir, 'prefix/node_modules/.bin', program);
    const { status, stdout, stderr } = spawnSync(path, args, { cwd: dir, encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return stdout;
  }

  it('has programs that run', () => {
    for (const program of ['trace-agent', 'trace-host']) {
      assert.equal(run(program, '--version'), `${version}\n`);
      assert.match(run(program, '--help'), new RegExp(`^Usage: ${program} `));
    }
  });

  it('sets a guest up', () => {
    const options = run('trace-host', 'setup', '--dir', join(dir, 'ports'), '--cpus', '2');
    assert.match(options, /name=trace-path-cpu1/);
    assert.ok(existsSync(join(dir, 'ports/agent-ctl-path.out')));
  });
});
