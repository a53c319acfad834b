import type { Values } from '../../src/cli/options/setting.ts';
import type { OptionShape, Shape } from './shape.ts';
import { identifier, offersGuests, takesCommand } from './shape.ts';

/** A completion for fish. */
export function fishCompletion(program: Shape, guestsDir: string): string {
  const name = `__${identifier(program.name)}`;
  const lines =
    program.commands.length > 0
      ? [
          ...program.commands.map(
            (command) => `-n '${name}_in ""' -a ${command.name} -d ${quoted(command.description)}`,
          ),
          ...program.options.map((option) => `-n '${name}_in ""' ${optionText(option, name)}`),
          ...program.commands.flatMap((command) => commandLines(command, program, name)),
        ]
      : program.options.map((option) => optionText(option, name));
  return `# fish completion for ${program.name}

${program.commands.length > 0 ? commandFunction(name) : ''}${offersGuests(program) ? guestsFunction(name, guestsDir) : ''}${
  takesCommand(program) ? programFunction(name) : ''
}complete -c ${program.name} -f
${lines.map((line) => `complete -c ${program.name} ${line}`).join('\n')}
`;
}

function commandFunction(name: string): string {
  return `# Whether this is the current command; "": no command yet.
function ${name}_in
    set -l words (commandline -opc)
    set -l command (string match -v -- '-*' $words[2..])[1]
    test "$command" = "$argv[1]"
end

`;
}

function guestsFunction(name: string, guestsDir: string): string {
  return `# Names of the guests below --dir.
function ${name}_guests
    set -l words (commandline -opc)
    set -l dir ${guestsDir}
    for at in (seq 2 (count $words))
        if test "$words[$at]" = --dir
            set dir $words[(math $at + 1)]
        else if string match -q -- '--dir=*' $words[$at]
            set dir (string replace -- --dir= '' $words[$at])
        end
    end
    set dir (string replace -r '^~' $HOME -- $dir)
    for path in $dir/*/
        basename $path
    end
end

`;
}

function programFunction(name: string): string {
  return `# Completes another program and its arguments, after --.
function ${name}_command
    set -l words (commandline -opc) (commandline -ct)
    set -l at (contains -i -- -- $words)
    and complete -C (string join ' ' -- (string escape -- $words[(math $at + 1)..-2]) $words[-1])
end

`;
}

function commandLines(command: Shape, program: Shape, name: string): string[] {
  const when = `-n '${name}_in ${command.name}'`;
  const options = command.options.map((option) => `${when} ${optionText(option, name)}`);
  switch (command.operand) {
    case undefined:
      return options;
    case 'file':
      return [...options, `${when} -F`];
    case 'command':
      return [...options, `${when} -a '(${name}_command)'`];
    case 'subcommand':
      return [...options, `${when} -a '${program.commands.map((each) => each.name).join(' ')}'`];
    case 'doctor':
      return [...options, `${when} -a doctor`];
    default:
      return command.operand satisfies never;
  }
}

function optionText({ names, description, value }: OptionShape, name: string): string {
  const forms = names.map((option) => option.replace(/^--/, '-l ').replace(/^-(?=\w$)/, '-s '));
  const offer = value === undefined ? '' : ` ${offerOf(value.offers, name)}`;
  return `${forms.join(' ')}${offer} -d ${quoted(description)}`;
}

/** `-x`: takes a value that is not a file; `-r -F`: takes a file. */
function offerOf(offers: Values | undefined, name: string): string {
  switch (offers) {
    case undefined:
      return '-x';
    case 'file':
      return '-r -F';
    case 'directory':
      return "-x -a '(__fish_complete_directories (commandline -ct))'";
    case 'guest':
      return `-x -a '(${name}_guests)'`;
    case 'user':
      return "-x -a '(__fish_complete_users)'";
    case 'group':
      return "-x -a '(__fish_complete_groups)'";
    default: {
      return offers.list === true
        ? `-x -a '(__fish_complete_list , "string split , ${offers.words.join(',')}")'`
        : `-x -a '${offers.words.join(' ')}'`;
    }
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll(/[\\']/g, '\\$&')}'`;
}
