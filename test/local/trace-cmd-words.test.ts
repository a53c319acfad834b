import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parseHostOptions } from '../../src/cli/host/options/host-options.ts';
import { traceCmdWords } from '../../src/cli/host/options/trace-cmd-words.ts';
import { Failure } from '../../src/base/failure.ts';

const table = readFileSync(new URL('../../../docs/trace-cmd.md', import.meta.url), 'utf8');

/** Options of the installed trace-cmd, from its help and its manual, with a value if they take one. */
function wordsOfTraceCmd(): ReadonlyMap<string, string | undefined> {
  const help = spawnSync('trace-cmd', ['record', '-h'], { encoding: 'utf8' }).stdout;
  const listed = [...help.matchAll(/^ {10}(--?[a-zA-Z][\w-]*) /gm)].map(([, word = '']) => word);
  assert.ok(listed.length > 40, 'trace-cmd has more than 40 options');
  const inManual = ['-a', '-A', '-H', '--date', '--stderr', '--verbose', '--ts-offset', '--quiet'];
  return new Map([...listed, ...inManual].map((word) => [word, valueOf[word]]));
}

/** A valid value for each option; options that are not listed are flags. */
const valueOf: Readonly<Record<string, string>> = {
  '-e': 'sched',
  '-f': 'pid == 1',
  '-R': 'stacktrace',
  '-p': 'function',
  '-P': '1',
  '-C': 'boot',
  '-l': 'vfs_read',
  '-g': 'vfs_read',
  '-n': 'vfs_read',
  '-m': '100',
  '-M': 'f',
  '-o': 'x.dat',
  '-O': 'stacktrace',
  '-r': '1',
  '-s': '1000',
  '-N': 'host:1',
  '-V': '3:1',
  '-b': '100',
  '-B': 'name',
  '-A': 'web',
  '-H': 'hooks',
  '--module': 'ext4',
  '--max-graph-depth': '3',
  '--cmdlines-size': '4096',
  '--user': 'nobody',
  '--tsync-interval': '10',
  '--ts-offset': '10',
  '--name': 'web',
  '--file-version': '7',
  '--compression': 'zstd',
  '--proxy': '3:1',
  '--temp': '/tmp',
};

/** Options that must precede an option for it to be valid. */
const before: Readonly<Record<string, readonly string[]>> = {
  '-f': ['-e', 'sched'],
  '-R': ['-e', 'sched'],
  '-c': ['-P', '1'],
  '--func-stack': ['-p', 'function', '-l', 'vfs_read'],
};

describe("trace-cmd's record options", () => {
  it('are all in the table, and behave as it says: the same, accepted without effect, or refused by name with a remedy', () => {
    for (const [word, value] of wordsOfTraceCmd()) {
      const row = table.split('\n').find((line) => new RegExp(`^\\|[^|]*\`${word}\``).test(line));
      assert.ok(row !== undefined, `${word} is in docs/trace-cmd.md`);
      const line = ['record', ...(before[word] ?? []), word, ...(value === undefined ? [] : [value])];
      const refused = / \| refused:?/.test(row);
      try {
        const command = parseHostOptions(line);
        assert.ok(!refused, `${word} is accepted, and the table says that it is refused`);
        assert.ok(command.kind === 'record');
        assert.equal(
          command.options.remarks.length > 0,
          / \| accepted without effect; /.test(row),
          `${word} has a remark`,
        );
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        assert.ok(refused, `${word}: ${error.message}`);
        assert.ok(error.message.startsWith(`${word} of trace-cmd: `), error.message);
        assert.notEqual(error.remedy, '');
      }
    }
  });

  it('that trace-host does not have are listed once', () => {
    const flags = traceCmdWords.map((word) => word.flags);
    assert.equal(new Set(flags).size, flags.length);
  });
});
