import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { agentCommand, agentExamples, configFileText } from '../../src/cli/agent/agent-options.ts';
import { hostExamples, hostProgram } from '../../src/cli/host/options/host-options.ts';
import { version } from '../../src/base/version.ts';
import { commandSections, exampleLines, optionLines, pageHead, synopsis } from './command-page.ts';
import { manOfMarkdown, sectionOf } from './markdown.ts';
import { bold, escaped, filled, literal, section, tagged } from './roff.ts';

/** A page's file name and text. */
export type Page = readonly [file: string, roff: string];

/**
 * The man pages, generated from the command definitions (as `--help` is) and from the documents in docs/.
 * @param root the checkout
 * @param date as 2026-11-24
 */
export function manPages(root: string, date: string): Page[] {
  const document = (path: string): string => readFileSync(join(root, path), 'utf8');
  const pages = [
    ['trace-agent.1', agentPage(document, date)],
    ['trace-host.1', hostPage(document, date)],
    ['virtio-trace-protocol.7', protocolPage(document, date)],
  ] as const;
  return pages.map(([file, lines]) => [file, `${withoutNeedlessSpace(lines).join('\n')}\n`]);
}

/** Removes a .PP after a heading, which already adds the space. */
function withoutNeedlessSpace(lines: readonly string[]): string[] {
  return lines.filter((line, index) => line !== '.PP' || !/^\.S[HS] /.test(lines[index - 1] ?? ''));
}

type ReadDocument = (path: string) => string;

/** The first sections of each command's page. */
function commandHead(program: Command, date: string): string[] {
  return [
    ...pageHead({ name: program.name(), number: 1, date, version, summary: program.summary() }),
    section('Synopsis'),
    ...synopsis(program),
    section('Description'),
    ...filled(escaped(program.description())),
    section('Options'),
    ...optionLines(program),
  ];
}

function agentPage(document: ReadDocument, date: string): string[] {
  const program = agentCommand(() => {});
  const [all, example, precedence] = configFileText;
  return [
    ...commandHead(program, date),
    section('Configuration file'),
    ...filled(escaped(all)),
    ...literal(example),
    '.PP',
    ...filled(escaped(precedence)),
    section('Signals'),
    ...manOfMarkdown(sectionOf(document('docs/reference.md'), 'Signals')),
    section('Exit status'),
    ...manOfMarkdown(sectionOf(document('docs/exit-codes.md'), 'trace-agent')),
    section('Files'),
    ...tagged(
      bold('/dev/virtio-ports/'),
      filled("the guest's ports by name: agent\\-ctl\\-path, trace\\-path\\-cpu0 and so on"),
    ),
    ...tagged(
      bold('/sys/kernel/tracing/'),
      filled('tracefs, which has the ring buffers and the tracing settings'),
    ),
    section('Examples'),
    ...exampleLines(agentExamples),
    ...seeAlso('trace-host(1)', 'virtio-trace-protocol(7)', 'trace-cmd(1)'),
  ];
}

function hostPage(document: ReadDocument, date: string): string[] {
  const program = hostProgram(
    () => {},
    () => {},
  );
  return [
    ...commandHead(program, date),
    section('Commands'),
    ...commandSections(program, hostExamples),
    section('Exit status'),
    ...manOfMarkdown(sectionOf(document('docs/exit-codes.md'), 'trace-host')),
    section('Files'),
    ...tagged(
      bold('/var/lib/virtio-trace/'),
      filled("the host ends of a guest's ports, or one directory per guest with them"),
    ),
    ...tagged(bold('trace.dat.recording/'), filled('an unfinished recording, next to the future trace.dat')),
    ...seeAlso('trace-agent(1)', 'virtio-trace-protocol(7)', 'trace-cmd(1)', 'kernelshark(1)'),
  ];
}

function protocolPage(document: ReadDocument, date: string): string[] {
  const body = document('docs/protocol.md').replace(/^# .*\n/, '');
  const summary = 'orders to trace-agent and their answers';
  return [
    ...pageHead({ name: 'virtio-trace-protocol', number: 7, date, version, summary }),
    section('Description'),
    ...manOfMarkdown(body),
    ...seeAlso('trace-agent(1)', 'trace-host(1)'),
  ];
}

function seeAlso(...pages: readonly string[]): string[] {
  const names = pages.map((page) =>
    page.replace(/^(.*)\((\d)\)$/, (_, name: string, number: string) => `${bold(name)}(${number})`),
  );
  return [section('See also'), ...filled(names.join(', '))];
}
