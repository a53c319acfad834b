import type { Values } from '../../src/cli/options/setting.ts';
import type { OptionShape, Shape } from './shape.ts';
import { identifier, offersGuests, offersList, takesCommand } from './shape.ts';

/** A completion for bash. It does not use bash-completion, which a guest may not have. */
export function bashCompletion(program: Shape, guestsDir: string): string {
  const name = `_${identifier(program.name)}`;
  const each = program.commands.length > 0 ? program.commands : [program];
  return `# bash completion for ${program.name}

# Lines of stdin that begin with the word that is completed.
${name}_take() {
  local line
  while IFS= read -r line; do COMPREPLY+=("$line"); done
}

${name}_words() {
  ${name}_take < <(compgen -W "$1" -- "$cur")
}

${offersList(program) ? listFunction(name) : ''}# $1: -f for files, -d for directories; a directory gets a slash and no space.
${name}_paths() {
  compopt -o filenames 2>/dev/null
  ${name}_take < <(compgen "$1" -- "$cur")
}

${offersGuests(program) ? guestsFunction(name, guestsDir) : ''}${takesCommand(program) ? programFunction(name) : ''}${name}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} option=\${COMP_WORDS[COMP_CWORD - 1]} command= end=0 i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      --) end=$i && break ;;
      -*) ;;
      *) [[ -z $command ]] && command=\${COMP_WORDS[i]} ;;
    esac
  done
  ${program.commands.length > 0 ? '' : `command=${program.name}\n  `}if ((end > 0)); then
    case $command in
${operandCases(each, name, '((end + 1))')}
    esac
    return
  fi
  # bash takes --option=value for three words
  if [[ $cur == = ]]; then
    cur=
  elif [[ $option == = ]]; then
    option=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  case $command,$option in
${each.flatMap((command) => valueCases(command, name)).join('\n')}
  esac
  case $command,$cur in
${each.map((command) => `    ${command.name},-*) ${name}_words '${optionNames(command.options)}' ;;`).join('\n')}${
  program.commands.length > 0
    ? `
    ,-*) ${name}_words '${optionNames(program.options)}' ;;
    ,*) ${name}_words '${commandNames(program)}' ;;`
    : ''
}
${each.flatMap((command) => freeOperand(command, program, name)).join('\n')}
  esac
}

complete -F ${name} ${program.name}
`.replaceAll(/\n{2,}(?= {2,}esac)/g, '\n');
}

function listFunction(name: string): string {
  return `# The next word of a comma-separated list.
${name}_list() {
  local before=
  [[ $cur == *,* ]] && before=\${cur%,*},
  ${name}_take < <(compgen -P "$before" -W "$1" -- "\${cur##*,}")
}

`;
}

function guestsFunction(name: string, guestsDir: string): string {
  return `# Names of the guests below --dir.
${name}_guests() {
  local dir=${guestsDir} i path
  for ((i = 1; i < COMP_CWORD - 1; i++)); do
    [[ \${COMP_WORDS[i]} == --dir ]] || continue
    dir=\${COMP_WORDS[i + 1]}
    [[ $dir == = ]] && dir=\${COMP_WORDS[i + 2]}
  done
  dir=\${dir/#\\~/$HOME}
  for path in "$dir"/*/; do
    path=\${path%/}
    [[ -d $path ]] && ${name}_words "\${path##*/}"
  done
}

`;
}

function programFunction(name: string): string {
  return `# Completes another program and its arguments, which begin at word $1.
${name}_command() {
  if declare -F _command_offset >/dev/null; then
    _command_offset "$1"
  elif ((COMP_CWORD == $1)); then
    ${name}_take < <(compgen -c -- "$cur")
  else
    ${name}_paths -f
  fi
}

`;
}

function optionNames(options: readonly OptionShape[]): string {
  return options.flatMap(({ names }) => names).join(' ');
}

function commandNames(program: Shape): string {
  return program.commands.map((command) => command.name).join(' ');
}

/** What follows `--`. */
function operandCases(commands: readonly Shape[], name: string, at: string): string {
  return commands
    .flatMap((command) => {
      if (command.operand === 'command') return [`      ${command.name}) ${name}_command $${at} ;;`];
      if (command.operand === 'file') return [`      ${command.name}) ${name}_paths -f ;;`];
      return [];
    })
    .join('\n');
}

function freeOperand(command: Shape, program: Shape, name: string): string[] {
  switch (command.operand) {
    case undefined:
    // only after -- is a word certain to belong to the command
    case 'command':
      return [];
    case 'file':
      return [`    ${command.name},*) ${name}_paths -f ;;`];
    case 'subcommand':
      return [`    ${command.name},*) ${name}_words '${commandNames(program)}' ;;`];
    case 'doctor':
      return [`    ${command.name},*) ${name}_words 'doctor' ;;`];
    default:
      return command.operand satisfies never;
  }
}

/** An unknown kind of value offers nothing, rather than the files of the directory. */
function valueCases(command: Shape, name: string): string[] {
  return command.options.flatMap(({ names, value }) => {
    if (value === undefined) return [];
    const pattern = names.map((option) => `${command.name},${option}`).join(' | ');
    const offer = offerOf(value.offers, name);
    return [`    ${pattern}) ${offer === '' ? '' : `${offer}; `}return ;;`];
  });
}

function offerOf(offers: Values | undefined, name: string): string {
  switch (offers) {
    case undefined:
      return '';
    case 'file':
      return `${name}_paths -f`;
    case 'directory':
      return `${name}_paths -d`;
    case 'guest':
      return `${name}_guests`;
    case 'user':
      return `${name}_take < <(compgen -u -- "$cur")`;
    case 'group':
      return `${name}_take < <(compgen -g -- "$cur")`;
    default:
      return `${name}_${offers.list === true ? 'list' : 'words'} '${offers.words.join(' ')}'`;
  }
}
