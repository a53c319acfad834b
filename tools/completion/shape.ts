import type { Command, Option } from 'commander';
import type { Values } from '../../src/cli/options/setting.ts';
import { SettingOption } from '../../src/cli/options/setting.ts';

/** A command, as needed for shell completion. */
export interface Shape {
  readonly name: string;
  readonly description: string;
  readonly options: readonly OptionShape[];
  readonly operand: Operand | undefined;
  readonly commands: readonly Shape[];
}

export interface OptionShape {
  /** With their dashes, the short one first. */
  readonly names: readonly string[];
  readonly description: string;
  /** undefined: a flag. */
  readonly value: { readonly name: string; readonly offers: Values | undefined } | undefined;
  readonly repeatable: boolean;
}

/** `command`: another program with its arguments; `subcommand`: a command of this program; `doctor`: that word. */
export type Operand = 'file' | 'command' | 'subcommand' | 'doctor';

/** Operands, by their names in the programs. */
const operands: Readonly<Record<string, Operand>> = {
  file: 'file',
  input: 'file',
  command: 'command',
  COMMAND: 'subcommand',
  doctor: 'doctor',
};

/** Describes a command, from the object that generates its `--help`. */
export function shapeOf(command: Command): Shape {
  const help = command.createHelp();
  return {
    name: command.name(),
    description: command.summary() === '' ? command.description() : command.summary(),
    options: help.visibleOptions(command).map(optionShape),
    operand: operandOf(command),
    commands: help.visibleCommands(command).map(shapeOf),
  };
}

function optionShape(option: Option): OptionShape {
  const name = /<(.*)>/.exec(option.flags)?.[1];
  return {
    names: [option.short, option.long].filter((part) => part !== undefined),
    description: option.description,
    value:
      name === undefined
        ? undefined
        : { name, offers: option instanceof SettingOption ? option.values : undefined },
    // only repeatable options have their own parser
    repeatable: option.parseArg !== undefined,
  };
}

function operandOf(command: Command): Operand | undefined {
  const [argument] = command.registeredArguments;
  if (argument === undefined) return undefined;
  const operand = operands[argument.name()];
  if (operand === undefined) throw new Error(`${command.name()}: unknown operand ${argument.name()}`);
  return operand;
}

/** A name usable in function names of all shells. */
export function identifier(name: string): string {
  return name.replaceAll('-', '_');
}

/** Whether an option of the program or of one of its commands names a guest. */
export function offersGuests(program: Shape): boolean {
  return everyCommand(program).some(({ options }) => options.some(({ value }) => value?.offers === 'guest'));
}

/** Whether an option takes a comma-separated list of words. */
export function offersList(program: Shape): boolean {
  return everyCommand(program).some(({ options }) =>
    options.some(({ value }) => typeof value?.offers === 'object' && value.offers.list === true),
  );
}

/** Whether a command of the program runs another program. */
export function takesCommand(program: Shape): boolean {
  return everyCommand(program).some(({ operand }) => operand === 'command');
}

function everyCommand(program: Shape): readonly Shape[] {
  return [program, ...program.commands];
}
