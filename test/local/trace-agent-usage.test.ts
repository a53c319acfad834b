import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { version } from '../../src/base/version.ts';

const program = fileURLToPath(new URL('../../bin/trace-agent.js', import.meta.url));

function run(...argv: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [program, ...argv], { encoding: 'utf8', timeout: 120_000 });
}

describe('trace-agent', () => {
  it('prints its help and its version to stdout', () => {
    const help = run('--help');
    assert.deepEqual([help.status, help.stderr], [0, '']);
    assert.match(help.stdout, /^Usage: trace-agent \[doctor\] \[options\]\n/);
    const told = run('--version');
    assert.deepEqual([told.status, told.stdout, told.stderr], [0, `${version}\n`, '']);
  });

  it('reports invalid arguments in one line on stderr, and exits with 2', () => {
    const cases: [string[], RegExp][] = [
      [['--pipe-siz', '1M'], /^trace-agent: unknown option '--pipe-siz' — did you mean --pipe-size\?\n$/],
      [
        ['-s', '2M'],
        /^trace-agent: --pipe-size: a pipe of "2M" is above 1M — use a size from 64K to 1M, e\.g\. 512K\n$/,
      ],
      [['--cpus', '3-1'], /^trace-agent: --cpus: the range 3-1 runs backwards — .*\n$/],
      [['--config', '/nonexistent'], /^trace-agent: --config: cannot read \/nonexistent: ENOENT — .*\n$/],
    ];
    for (const [argv, stderr] of cases) {
      const ended = run(...argv);
      assert.deepEqual([ended.status, ended.stdout], [2, ''], argv.join(' '));
      assert.match(ended.stderr, stderr);
    }
  });

  it('is an executable file', () => {
    accessSync(program, constants.X_OK);
    assert.equal(spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout, `${version}\n`);
  });
});
