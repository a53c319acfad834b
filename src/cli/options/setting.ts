import type { CommanderError } from 'commander';
import { type Command, Option } from 'commander';
import { exitCode, Failure } from '../../base/failure.ts';
import { printable, quoted } from '../../base/quoted.ts';

/**
 * What a shell can offer for a value: words, alone or as a comma-separated list, or something that it looks for.
 * A guest is a directory below `--dir`.
 */
export type Values =
  | { readonly words: readonly string[]; readonly list?: true }
  | 'file'
  | 'directory'
  | 'guest'
  | 'user'
  | 'group';

/** One thing that a program can be told, on the command line and, where it has one, in the configuration file. */
export interface Setting<Value> {
  readonly short?: string;
  /** The command line's long name, without dashes; the file has it in camelCase. */
  readonly long: string;
  /** What the value is called in the help; `undefined`: a flag, which takes none. */
  readonly placeholder?: string;
  readonly description: string;
  /** `undefined`: nothing that a shell knows. */
  readonly values?: Values;
  /** Read by `parse` like a given one; `undefined`: the description says what happens without. */
  readonly defaultText?: string;
  /** May be given several times; the values in the order of the command line, joined by newlines, are one text. */
  readonly repeatable?: boolean;
  /** JSON types that the file may use besides a string. */
  readonly fileTypes?: readonly ('number' | 'array')[];
  /** `name` says in an error where the text was given. Throws Failure (usage). */
  readonly parse: (text: string, name: string) => Value;
}

export type WithDefault<Value> = Setting<Value> & { readonly defaultText: string };

/** commander's option, and what a shell can offer for its value. */
export class SettingOption extends Option {
  readonly values: Values | undefined;

  constructor(flags: string, description: string, values?: Values) {
    super(flags, description);
    this.values = values;
  }
}

export function parseFlag(text: string): boolean {
  return text === 'true';
}

/** Adds a setting to a command, its default in the help; a flag only as such, see `addNegation`. */
export function addSetting(command: Command, setting: Setting<unknown>): void {
  const short = setting.short === undefined ? '' : `-${setting.short}, `;
  const value = setting.placeholder === undefined ? '' : ` <${setting.placeholder}>`;
  const option = new SettingOption(`${short}--${setting.long}${value}`, setting.description, setting.values);
  if (setting.placeholder !== undefined) option.default(setting.defaultText, setting.defaultText);
  if (setting.repeatable === true) {
    option.argParser((value: string, before: string | undefined) =>
      before === undefined ? value : `${before}\n${value}`,
    );
  }
  command.addOption(option);
}

/** Adds `--no-X` to a flag X, for a program whose configuration file may have said it. */
export function addNegation(command: Command, setting: Setting<unknown>): void {
  if (setting.placeholder === undefined) command.addOption(new Option(`--no-${setting.long}`).hideHelp());
}

/**
 * commander's "error: unknown option '--pip'\n(Did you mean --pipe-size?)" in our form.
 * @param command the command or subcommand that was being read
 * @param program what to ask for help
 */
export function usageFailure(cause: CommanderError, command: Command, program: string): Failure {
  const help = `see ${program} --help`;
  if (cause.code === 'commander.excessArguments') {
    const message = `unexpected argument ${quoted(command.args[0] ?? '')}`;
    return new Failure(exitCode.usage, message, help, { cause });
  }
  const [, first = '', hint] = /^(?:error: )?(.*?)(?:\n\(D(id you mean .*)\))?$/s.exec(cause.message) ?? [];
  const remedy = hint === undefined ? help : `d${hint}`;
  return new Failure(exitCode.usage, printable(first), remedy, { cause });
}
