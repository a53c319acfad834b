import type { Values } from '../../src/cli/options/setting.ts';
import type { Operand, OptionShape, Shape } from './shape.ts';
import { identifier, offersGuests } from './shape.ts';

/** A completion for zsh's compsys; the file is `_PROGRAM` in a directory of `fpath`. */
export function zshCompletion(program: Shape, guestsDir: string): string {
  const name = `_${identifier(program.name)}`;
  const body =
    program.commands.length > 0
      ? commandsBody(program, name)
      : `  _arguments -s -S \\\n${argumentLines(program, program, name, '    ')}\n`;
  return `#compdef ${program.name}
${offersGuests(program) ? guestsFunction(name, guestsDir) : ''}
${name}() {
${body}}

# autoloaded: the first call defines the functions
${name} "$@"
`;
}

function guestsFunction(name: string, guestsDir: string): string {
  return `
# Names of the guests below --dir.
${name}_guests() {
  local dir=\${(Q)opt_args[--dir]:-${guestsDir}}
  local -a guests=(\${~dir}/*(N-/:t))
  _describe -t guests guest guests
}
`;
}

function commandsBody(program: Shape, name: string): string {
  const commands = program.commands
    .map((command) => `        ${quoted(`${command.name}:${command.description.replaceAll(':', '\\:')}`)}`)
    .join('\n');
  const cases = program.commands
    .map((command) => {
      return `        ${command.name})
          _arguments -s -S \\
${argumentLines(command, program, name, '            ')}
          ;;`;
    })
    .join('\n');
  return `  local curcontext=$curcontext state line
  local -A opt_args
  _arguments -C -s \\
${program.options.map((option) => `    ${optionSpec(option, name)} \\`).join('\n')}
    '1: :->command' \\
    '*:: :->argument'
  case $state in
    command)
      local -a commands=(
${commands}
      )
      _describe -t commands command commands
      ;;
    argument)
      curcontext=\${curcontext%:*:*}:${program.name}-$line[1]:
      case $line[1] in
${cases}
      esac
      ;;
  esac
`;
}

function argumentLines(command: Shape, program: Shape, name: string, indent: string): string {
  const names = program.commands.map((each) => each.name).join(' ');
  const operands = {
    file: "'*:file:_files'",
    // zsh has a command called -
    command: "'*:::command:{ [[ $words[1] == -* ]] || _normal }'",
    subcommand: `'1:command:(${names})'`,
    doctor: "'1:command:(doctor)'",
  } as const satisfies Record<Operand, string>;
  const lines = command.options.map((option) => optionSpec(option, name));
  if (command.operand !== undefined) lines.push(operands[command.operand]);
  return lines.map((line) => `${indent}${line}`).join(' \\\n');
}

/** In the syntax of `_arguments`: `'(-s --size)'{-s+,--size=}'[what]:NAME:action'`. */
function optionSpec({ names, description, value, repeatable }: OptionShape, name: string): string {
  const text = `[${description.replaceAll(/[[\]\\]/g, '\\$&')}]`;
  const action = value === undefined ? '' : `:${value.name}:${offerOf(value.offers, name)}`;
  const others = names.includes('--help') || names.includes('--version') ? '- *' : names.join(' ');
  const before = repeatable ? '*' : `(${others})`;
  const forms = names.map((option) =>
    value === undefined ? option : `${option}${option.startsWith('--') ? '=' : '+'}`,
  );
  const each = forms.length === 1 ? forms.join('') : `{${forms.join(',')}}`;
  return forms.length === 1
    ? quoted(`${before}${each}${text}${action}`)
    : `${quoted(before)}${each}${quoted(`${text}${action}`)}`;
}

function offerOf(offers: Values | undefined, name: string): string {
  switch (offers) {
    case undefined:
      return ' ';
    case 'file':
      return '_files';
    case 'directory':
      return '_files -/';
    case 'guest':
      return `${name}_guests`;
    case 'user':
      return '_users';
    case 'group':
      return '_groups';
    default: {
      const words = offers.words.join(' ');
      return offers.list === true ? `_sequence compadd - ${words}` : `(${words})`;
    }
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
