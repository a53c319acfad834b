import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { Command } from 'commander';
import { agentCommand } from '../../src/cli/agent/agent-options.ts';
import { hostProgram } from '../../src/cli/host/options/host-options.ts';
import { completions } from '../../tools/completion/completions.ts';
import { scratchDir } from '../unit/trace/samples.ts';
import { completedLines, fishOffers } from './harness/shells.ts';
import { toolSkip } from './harness/skip.ts';

const agent = agentCommand(() => {});
const host = hostProgram(
  () => {},
  () => {},
);

/** A line, and the completions that each shell offers for its last word. */
type Case = readonly [line: string, offers: readonly string[]];

function optionsOf(command: Command): string[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .flatMap(({ short, long }) => [short, long])
    .filter((name) => name !== undefined);
}

const commandNames = host
  .createHelp()
  .visibleCommands(host)
  .map((command) => command.name());

const hostCases: Case[] = [
  ['trace-host ', commandNames],
  ['trace-host rec', ['record']],
  ['trace-host help p', ['ping']],
  ...host.commands.map((command): Case => [`trace-host ${command.name()} -`, optionsOf(command)]),
  ['trace-host setup --format ', ['qemu', 'libvirt', 'json']],
  ['trace-host setup --chardev=s', ['--chardev=socket']],
  ['trace-host record -p function_', ['function_graph']],
  ['trace-host record --dir guests -A ', ['db', 'web']],
  ['trace-host record --dir=guests -A db --agent=w', ['--agent=web']],
  // the guest's name is not a command
  ['trace-host status --guest stop --v', []],
  ['trace-host convert o', ['one file.raw']],
  ['trace-host info --json tra', ['trace.dat']],
  ['trace-host record -o tra', ['trace.dat']],
  ['trace-host record -e sched -- basenam', ['basename']],
  ['trace-host record -- cat tra', ['trace.dat']],
  ['trace-host ping --timeout ', []],
  ['trace-host record -e ', []],
];

const agentCases: Case[] = [
  ['trace-agent -', optionsOf(agent)],
  ['trace-agent --pipe', ['--pipe-size']],
  ['trace-agent -s ', []],
  ['trace-agent --log-level t', ['trace']],
  ['trace-agent --log-format ', ['json', 'pretty']],
  ['trace-agent --allow ', ['start', 'stop', 'status', 'metadata', 'ping']],
  ['trace-agent --allow ping,sto', ['ping,stop']],
  ['trace-agent --user roo', ['root']],
  ['trace-agent --ports-dir gu', ['guests']],
  ['trace-agent --config tra', ['trace.dat']],
];

/** The built completions, and a directory to complete in. */
function scene(test: TestContext): { readonly scripts: string; readonly cwd: string } {
  const scripts = scratchDir(test);
  for (const [path, script] of completions()) {
    mkdirSync(dirname(join(scripts, path)), { recursive: true });
    writeFileSync(join(scripts, path), script);
  }
  const cwd = scratchDir(test);
  for (const guest of ['web', 'db']) mkdirSync(join(cwd, 'guests', guest), { recursive: true });
  for (const file of ['one file.raw', 'trace.dat', 'guests/no-guest']) writeFileSync(join(cwd, file), '');
  return { scripts, cwd };
}

/** The words of the line; the last one is to be completed. */
function wordsOf(line: string): string[] {
  return line.trimEnd().split(' ');
}

for (const shell of ['bash', 'zsh'] as const) {
  describe(`completion in ${shell}`, { skip: toolSkip(shell) }, () => {
    for (const [program, cases] of [
      ['trace-host', hostCases],
      ['trace-agent', agentCases],
    ] as const) {
      it(`offers the options and words of ${program}`, async (test) => {
        const { scripts, cwd } = scene(test);
        const lines = cases.map(([line]) => line);
        const completed = await completedLines(shell, scripts, program, lines, cwd);
        for (const [index, [line, offers]] of cases.entries()) {
          const words = wordsOf(line);
          const before = line.endsWith(' ') ? words : words.slice(0, -1);
          // a line without completions stays unchanged
          const wanted = offers.length === 0 ? words : [...before, ...offers.toSorted()];
          const got = completed[index] ?? [];
          assert.deepEqual(
            [...got.slice(0, before.length), ...got.slice(before.length).sort()],
            wanted,
            line,
          );
        }
      });
    }
  });
}

describe('completion in fish', { skip: toolSkip('fish') }, () => {
  for (const [program, cases] of [
    ['trace-host', hostCases],
    ['trace-agent', agentCases],
  ] as const) {
    it(`offers the options and words of ${program}`, (test) => {
      const { scripts, cwd } = scene(test);
      for (const [line, offers] of cases) {
        const got = fishOffers(scripts, program, line, cwd).map((offer) => offer.replace(/\/$/, ''));
        assert.deepEqual(got.sort(), offers.toSorted(), line);
      }
    });
  }
});
