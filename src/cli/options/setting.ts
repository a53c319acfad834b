import type { CommanderError } from 'commander';
import { type Command, Option } from 'commander';
import { exitCode, Failure } from '../../base/failure.ts';
import { printable, quoted } from '../../base/quoted.ts';

/**
 * The completions that a shell offers for a value: fixed words (alone or as a comma-separated list), or names that the
 * shell looks up. A guest is a directory below `--dir`.
 */
export type Values =
  | { readonly words: readonly string[]; readonly list?: true }
  | 'file'
  | 'directory'
  | 'guest'
  | 'user'
  | 'group';

/** One option of a program, on the command line and, for trace-agent, in the configuration file. */
export interface Setting<Value> {
  readonly short?: string;
  /** Long name on the command line, without dashes; the configuration file uses it in camelCase. */
  readonly long: string;
  /** Placeholder for the value in the help; `undefined` for a flag, which takes no value. */
  readonly placeholder?: string;
  readonly description: string;
  /** Names that users may try in place of `long`; a message then suggests `long`. */
  readonly otherNames?: readonly string[];
  /** The completions for the value; `undefined` if there are none. */
  readonly values?: Values;
  /** Default value, parsed like a given one; if `undefined`, the description gives the default. */
  readonly defaultText?: string;
  /** Whether the option may be repeated; `parse` then gets all values in order, joined by newlines. */
  readonly repeatable?: boolean;
  /** JSON types allowed in the configuration file in addition to string. */
  readonly fileTypes?: readonly ('number' | 'array')[];
  /** Parses the text. `name` tells the user where the text was given. Throws Failure (usage). */
  readonly parse: (text: string, name: string) => Value;
}

export type WithDefault<Value> = Setting<Value> & { readonly defaultText: string };

/** A commander option with completions for its value. */
export class SettingOption extends Option {
  readonly values: Values | undefined;
  readonly otherNames: readonly string[];

  constructor(flags: string, description: string, values?: Values, otherNames: readonly string[] = []) {
    super(flags, description);
    this.values = values;
    this.otherNames = otherNames;
  }
}

export function parseFlag(text: string): boolean {
  return text === 'true';
}

/** Adds a setting to a command, with its default in the help; for `--no-X` see `addNegation`. */
export function addSetting(command: Command, setting: Setting<unknown>): void {
  const short = setting.short === undefined ? '' : `-${setting.short}, `;
  const value = setting.placeholder === undefined ? '' : ` <${setting.placeholder}>`;
  const { description, values, otherNames } = setting;
  const option = new SettingOption(`${short}--${setting.long}${value}`, description, values, otherNames);
  if (setting.placeholder !== undefined) option.default(setting.defaultText, setting.defaultText);
  if (setting.repeatable === true) {
    option.argParser((value: string, before: string | undefined) =>
      before === undefined ? value : `${before}\n${value}`,
    );
  }
  command.addOption(option);
}

/** Adds `--no-X` for a flag X, for programs whose configuration file may set the flag. */
export function addNegation(command: Command, setting: Setting<unknown>): void {
  if (setting.placeholder === undefined) command.addOption(new Option(`--no-${setting.long}`).hideHelp());
}

/**
 * Converts commander's "error: unknown option '--pip'\n(Did you mean --pipe-size?)" to a Failure.
 * @param command the command or subcommand that was being parsed
 * @param program the command line whose --help to suggest
 */
export function usageFailure(cause: CommanderError, command: Command, program: string): Failure {
  const help = `see ${program} --help`;
  if (cause.code === 'commander.excessArguments') {
    const excess = command.args[command.registeredArguments.length] ?? '';
    const hasOutput = command.options.some((option) => option.name() === 'output');
    const remedy = hasOutput ? 'give the output with -o' : help;
    return new Failure(exitCode.usage, `unexpected argument ${quoted(excess)}`, remedy, { cause });
  }
  const meant = meantOption(cause, command);
  const [, first = '', hint] = /^(?:error: )?(.*?)(?:\n\(D(id you mean .*)\))?$/s.exec(cause.message) ?? [];
  const guess = hint === undefined ? help : `d${hint}`;
  const remedy = meant === undefined ? guess : `did you mean --${meant}?`;
  return new Failure(exitCode.usage, printable(first), remedy, { cause });
}

/** The option that has the unknown one among its other names. */
function meantOption({ code, message }: CommanderError, { options }: Command): string | undefined {
  if (code !== 'commander.unknownOption') return undefined;
  const name = /'--([a-z-]+)/.exec(message)?.[1] ?? '';
  return options
    .find((option) => option instanceof SettingOption && option.otherNames.includes(name))
    ?.name();
}
