import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { pageHead } from '../../tools/man/command-page.ts';
import { manPages } from '../../tools/man/pages.ts';
import { filled, escaped, literal } from '../../tools/man/roff.ts';
import { repoRoot } from '../repo-root.ts';
import { scratchDir } from '../unit/trace/samples.ts';
import { toolSkip } from './harness/skip.ts';

const pages = manPages(repoRoot, '2026-01-02');

function run(command: string, ...args: string[]): string {
  const env = { ...process.env, LC_ALL: 'C.UTF-8', MANWIDTH: '80', MANPAGER: 'cat' };
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', env });
  assert.deepEqual([status, stderr], [0, ''], `${command} ${args.join(' ')}`);
  return stdout;
}

describe('man pages', () => {
  it('pass mandoc, including its style checks', { skip: toolSkip('mandoc') }, (test) => {
    for (const [file, roff] of pages) {
      const path = join(scratchDir(test), file);
      writeFileSync(path, roff);
      assert.equal(run('mandoc', '-T', 'lint', '-W', 'style', path), '');
    }
  });

  it('cause no groff warnings', { skip: toolSkip('groff') }, (test) => {
    for (const [file, roff] of pages) {
      const path = join(scratchDir(test), file);
      writeFileSync(path, roff);
      assert.ok(run('groff', '-ww', '-man', '-T', 'utf8', path).length > 3000);
    }
  });

  it('are displayed by man without a warning', { skip: toolSkip('man') }, (test) => {
    for (const [file, roff] of pages) {
      const path = join(scratchDir(test), file);
      writeFileSync(path, roff);
      assert.match(run('man', '--warnings', '-l', path), /^SEE ALSO$/m);
    }
  });

  it('display text unchanged, in a paragraph and in an example', { skip: toolSkip('man') }, (test) => {
    const lines = [
      '.TH is no request here',
      '\'quoted\' "twice" `and` ^so ~on',
      '\\fBnot bold\\fR \\n(.x \\" no comment',
      '-e sched -- a-b_c% … — é',
    ];
    const head = pageHead({ name: 'x', number: 1, date: '2026-01-02', version: '1', summary: 'y' });
    const body = lines.flatMap((line) => ['.PP', ...filled(escaped(line)), ...literal(line)]);
    const path = join(scratchDir(test), 'x.1');
    writeFileSync(path, [...head, ...body, ''].join('\n'));
    const shown = run('man', '-l', path).split('\n');
    for (const line of lines) {
      assert.ok(shown.includes(`       ${line}`), `paragraph: ${line}\n${shown.join('\n')}`);
      assert.ok(shown.includes(`           ${line}`), `example: ${line}`);
    }
  });
});
