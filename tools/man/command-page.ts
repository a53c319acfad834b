import type { Command, Option } from 'commander';
import type { Example } from '../../src/cli/options/help-text.ts';
import { bold, escaped, filled, italic, literal, section, subsection, tagged } from './roff.ts';

/** The options that `--help` lists, with the same order and text. */
export function optionLines(command: Command): string[] {
  const help = command.createHelp();
  return help
    .visibleOptions(command)
    .flatMap((option) => tagged(optionTag(option), filled(escaped(help.optionDescription(option)))));
}

/** `-s, --pipe-size SIZE`, with the literal parts in bold. */
function optionTag(option: Option): string {
  const names = [option.short, option.long].filter((name) => name !== undefined);
  const value = /<(.*)>/.exec(option.flags)?.[1];
  return `${names.map(bold).join(', ')}${value === undefined ? '' : ` ${italic(value)}`}`;
}

/** A program's synopsis; one line per command if it has commands. */
export function synopsis(program: Command): string[] {
  const commands = program.createHelp().visibleCommands(program);
  if (commands.length === 0) return [synopsisLine(program.name(), program.usage())];
  return commands.flatMap((command, index) => [
    ...(index === 0 ? [] : ['.br']),
    synopsisLine(`${program.name()} ${command.name()}`, command.usage()),
  ]);
}

function synopsisLine(words: string, usage: string): string {
  return `${bold(words)} ${escaped(usage.replaceAll(/[<>]/g, ''))}`;
}

/** The commands of a program, each with options and examples. */
export function commandSections(
  program: Command,
  examplesOf: (command: string) => readonly Example[],
): string[] {
  const shown = program.createHelp().visibleCommands(program);
  return shown.flatMap((command) => [
    subsection(`${program.name()} ${command.name()} ${command.usage().replaceAll(/[<>]/g, '')}`),
    ...filled(escaped(command.description())),
    ...optionLines(command),
    ...exampleLines(examplesOf(command.name())),
  ]);
}

export function exampleLines(examples: readonly Example[]): string[] {
  return examples.flatMap(([command, what]) => [
    '.PP',
    ...filled(escaped(`${what.charAt(0).toUpperCase()}${what.slice(1)}:`)),
    ...literal(command),
  ]);
}

/** Title line and the section NAME. */
export function pageHead(page: PageName): string[] {
  const { name, number, date, version, summary } = page;
  return [
    // no escapes here: readers other than troff accept only a plain date
    `.TH "${name.toUpperCase()}" "${number}" "${date}" "virtio-trace ${version}" "virtio-trace"`,
    // do not justify: pages are full of names, and wide gaps make them hard to read
    '.ad l',
    section('Name'),
    `${escaped(name)} \\- ${escaped(summary)}`,
  ];
}

export interface PageName {
  readonly name: string;
  readonly number: 1 | 7;
  /** As 2026-11-24. */
  readonly date: string;
  readonly version: string;
  /** One line, for apropos. */
  readonly summary: string;
}
