import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { traceHost } from '../report/compare.ts';
import { reportFixtureDir } from '../report/fixtures.ts';

const file = join(reportFixtureDir, 'guest-stacks.dat');
const hasScript = spawnSync('script', ['--version']).error === undefined;
const skip = hasScript || process.env['CI'] === 'true' ? false : 'a terminal takes script (util-linux)';

interface Run {
  readonly options?: readonly string[];
  readonly environment?: NodeJS.ProcessEnv;
}

function environmentOf({ environment }: Run): NodeJS.ProcessEnv {
  const { FORCE_COLOR: _, NO_COLOR: __, ...rest } = process.env;
  return { ...rest, TERM: 'xterm', ...environment };
}

function piped(run: Run): string {
  const [command, ...words] = [...traceHost, '-q', ...(run.options ?? []), file];
  return execFileSync(command ?? '', words, { encoding: 'latin1', env: environmentOf(run) });
}

/** On a terminal; its carriage returns are removed. */
function shown(run: Run): string {
  const line = [...traceHost, '-q', ...(run.options ?? []), file].map((word) => `'${word}'`).join(' ');
  const text = execFileSync('script', ['-qec', line, '/dev/null'], {
    encoding: 'latin1',
    env: environmentOf(run),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return text.replaceAll('\r\n', '\n');
}

// oxlint-disable-next-line no-control-regex -- the escape sequences of colors
const escape = /\x1b\[\d+m/g;

describe('trace-host report has colors', () => {
  it('on a terminal only, around the same text', { skip }, () => {
    const plain = piped({});
    const onTerminal = shown({});
    assert.doesNotMatch(plain, escape);
    assert.ok((onTerminal.match(escape) ?? []).length > 100);
    assert.equal(onTerminal.replaceAll(escape, ''), plain);
  });

  it('not with NO_COLOR, on a dumb terminal, or with --color never', { skip }, () => {
    const plain = piped({});
    for (const run of [
      { environment: { NO_COLOR: '1' } },
      { environment: { TERM: 'dumb' } },
      { environment: { FORCE_COLOR: '0' } },
      { options: ['--color', 'never'] },
    ])
      assert.equal(shown(run), plain, JSON.stringify(run));
  });

  it('in a pipe only with FORCE_COLOR or --color always', () => {
    const plain = piped({});
    for (const run of [{ environment: { FORCE_COLOR: '1' } }, { options: ['--color=always'] }]) {
      const text = piped(run);
      assert.match(text, escape);
      assert.equal(text.replaceAll(escape, ''), plain);
    }
    assert.equal(piped({ options: ['--color', 'never'], environment: { FORCE_COLOR: '1' } }), plain);
  });
});
