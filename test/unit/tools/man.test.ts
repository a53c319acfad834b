import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Command } from 'commander';
import { agentCommand } from '../../../src/cli/agent/agent-options.ts';
import { hostProgram } from '../../../src/cli/host/options/host-options.ts';
import { exitCode } from '../../../src/base/failure.ts';
import { manualDate, releaseDate } from '../../../tools/man/date.ts';
import { manOfMarkdown, sectionOf } from '../../../tools/man/markdown.ts';
import { manPages } from '../../../tools/man/pages.ts';
import { bold, escaped } from '../../../tools/man/roff.ts';
import { repoRoot } from '../../repo-root.ts';

const pages = new Map(manPages(repoRoot, '2026-01-02'));

function page(file: string): string {
  const roff = pages.get(file);
  assert.ok(roff !== undefined, file);
  return roff;
}

/** Asserts that every option of a command is listed with its text, as in its help. */
function assertOptions(roff: string, command: Command): void {
  const help = command.createHelp();
  const options = help.visibleOptions(command);
  assert.ok(options.length > 0);
  const words = roff.replaceAll(/\s+/g, ' ');
  for (const option of options) {
    const name = bold(option.long ?? '');
    const at = words.indexOf(`${name} `);
    assert.ok(at >= 0, `${command.name()} ${option.long}`);
    const text = escaped(help.optionDescription(option));
    assert.ok(words.includes(text), `${command.name()} ${option.long}: ${text}`);
  }
}

describe('man pages', () => {
  it('list every option and command', () => {
    assertOptions(
      page('trace-agent.1'),
      agentCommand(() => {}),
    );
    const host = hostProgram(
      () => {},
      () => {},
    );
    assert.ok(host.commands.length > 5);
    const parts = page('trace-host.1').split('\n.SS ');
    for (const command of host.commands) {
      const title = `"${escaped(`trace-host ${command.name()} `)}`;
      const part = parts.find((text) => text.startsWith(title));
      assert.ok(part !== undefined, command.name());
      assertOptions(part, command);
      assert.ok(part.includes('.EX'), `${command.name()} has an example`);
    }
  });

  it('have the sections of the documents', () => {
    assert.match(page('trace-agent.1'), /\n\.SH "SIGNALS"\nSIGTERM and SIGINT stop the trace /);
    for (const name of ['trace-agent.1', 'trace-host.1']) {
      const status = page(name).split('.SH "EXIT STATUS"')[1]?.split('.SH')[0] ?? '';
      const codes = [...status.matchAll(/^\.TP\n(\d)$/gm)].map((match) => Number(match[1]));
      assert.deepEqual(codes, Object.values(exitCode), name);
    }
    const protocol = page('virtio-trace-protocol.7');
    for (const heading of readFileSync(join(repoRoot, 'docs/protocol.md'), 'utf8').matchAll(/^### (.*)$/gm))
      assert.ok(protocol.includes(`.SS "${escaped(heading[1] ?? '')}"`), heading[0]);
  });

  it('are reproducible, with a date given from outside', () => {
    assert.deepEqual(new Map(manPages(repoRoot, '2026-01-02')), pages);
    for (const roff of pages.values()) assert.match(roff, /^\.TH "[A-Z-]+" "[17]" "2026-01-02" /);
  });
});

describe('the date of the manual', () => {
  it('is SOURCE_DATE_EPOCH if set', () => {
    assert.equal(manualDate(repoRoot, { SOURCE_DATE_EPOCH: '86400' }), '1970-01-02');
  });

  it('is otherwise that of the release', () => {
    const changelog = '# Changelog\n\n## [1.1.0] - 2026-05-04\n\n## [1.0.0] - 2026-03-02\n';
    assert.equal(releaseDate(changelog, '1.0.0'), '2026-03-02');
    assert.equal(releaseDate('## [1.0.0] - unreleased\n', '1.0.0'), undefined);
  });
});

describe('Markdown for man', () => {
  it('keeps code unchanged, and does not take a line of it for a request', () => {
    assert.deepEqual(manOfMarkdown("    .so x\n    'y\\n'\n"), [
      '.PP',
      '.RS 4',
      '.EX',
      '\\&.so x',
      '\\(aqy\\en\\(aq',
      '.EE',
      '.RE',
    ]);
  });

  it('turns a table into a list, by its first column', () => {
    const table = '| `a` of it | |\n|---|---|\n| `x-y` | one `two` |\n| z | |\n';
    assert.deepEqual(manOfMarkdown(table), [
      '.PP',
      '\\fBa\\fR of it:',
      '.TP',
      '\\fBx\\-y\\fR',
      'one \\fBtwo\\fR',
      '.TP',
      'z',
    ]);
    const wide = '| code | means | what to do |\n|---|---|---|\n| 1 | bad | run |\n';
    assert.deepEqual(manOfMarkdown(wide), ['.TP', '1', 'bad', '.br', '\\fIwhat to do:\\fR run']);
  });

  it('finds a section with its subsections, and reports a missing one', () => {
    const document = '# T\n## A\none\n### B\ntwo\n## C\nthree\n';
    assert.match(sectionOf(document, 'A'), /^one\n### B\ntwo\n$/);
    assert.throws(() => sectionOf(document, 'D'), /no heading "D"/);
  });

  it('refuses unknown syntax instead of dropping it', () => {
    assert.throws(() => manOfMarkdown('> quoted\n'), /blockquote/);
    assert.throws(() => manOfMarkdown('a ![picture](x.png)\n'), /image/);
  });
});
