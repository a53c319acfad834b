import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** Time limit of a shell for one line; the first line loads its completion system. */
const patienceMs = 120_000;

interface Interactive {
  readonly argv: string;
  /** The command that loads the completion of a program from a directory. */
  readonly load: (dir: string, program: string) => string;
  /** The keys that insert all completions at the end of a line and then print its words, each preceded by @. */
  readonly ask: (line: string) => string;
}

const printing = "printf '\\n@%s' ";
const printed = '; echo; echo @done';

const interactive = {
  bash: {
    argv: 'bash --norc --noprofile -i',
    load: (dir, program) => `source ${join(dir, 'bash', program)}`,
    // readline's insert-completions, then to the line's beginning, and to its end
    ask: (line) => `${line}\u001b*\u0001${printing}\u0005${printed}\r`,
  },
  zsh: {
    argv: 'zsh -f -i',
    load: (dir) =>
      [
        // whatever EDITOR is; npm sets it to vi
        'bindkey -e',
        `fpath=(${join(dir, 'zsh')} $fpath)`,
        'autoload -Uz compinit',
        'compinit -u -D',
        "zstyle ':completion:all-matches::::' completer _all_matches _complete",
        "zstyle ':completion:all-matches:*' insert yes",
        'zle -C all-matches complete-word _generic',
        // no key after the one that completes: it would arrive while zsh loads the completion functions
        `ask() { zle all-matches -w; zle auto-suffix-remove; BUFFER="${printing.replace('\\', '\\\\')}$BUFFER${printed}"; zle accept-line }`,
        'zle -N ask',
        "bindkey '^X' ask",
      ].join('; '),
    ask: (line) => `${line}\u0018`,
  },
} as const satisfies Record<string, Interactive>;

/**
 * The words of each line after a shell at a terminal has inserted all completions; they include the line's own
 * words. @param dir of the completions, as built by `npm run build:completions`
 * @param dir of the completions, as `npm run build:completions` lays it out
 */
export async function completedLines(
  shell: keyof typeof interactive,
  dir: string,
  program: string,
  lines: readonly string[],
  cwd: string,
): Promise<string[][]> {
  const { argv, load, ask } = interactive[shell];
  const env = { ...process.env, TERM: 'dumb', LC_ALL: 'C.UTF-8', HOME: cwd };
  const child = spawn('script', ['-qec', argv, '/dev/null'], {
    cwd,
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const ended = once(child, 'close');
  /** The output on lines that begin with @ after these keys, up to a line that is the mark. */
  async function shownBehind(keys: string, mark: string): Promise<string[]> {
    output = '';
    child.stdin.write(keys);
    const deadline = Date.now() + patienceMs;
    for (;;) {
      const shown = output.replaceAll('\r', '').split('\n');
      const end = shown.indexOf(`@${mark}`);
      if (end >= 0)
        return shown
          .slice(0, end)
          .filter((line) => line.startsWith('@'))
          .map((line) => line.slice(1));
      if (Date.now() > deadline || child.exitCode !== null) throw new Error(`${shell} said: ${output}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  try {
    await shownBehind(`stty cols 2000; ${load(dir, program)}; echo; echo @loaded\r`, 'loaded');
    const completed: string[][] = [];
    for (const line of lines) completed.push(await shownBehind(ask(line), 'done'));
    return completed;
  } finally {
    // first deletes the rest of the line; a shell that does not react is ended
    child.stdin.end('\u0015exit\r');
    const late = setTimeout(() => child.kill(), patienceMs);
    await ended;
    clearTimeout(late);
  }
}

/** The completions that fish offers for the end of a line, without descriptions. */
export function fishOffers(dir: string, program: string, line: string, cwd: string): string[] {
  const script = `source ${join(dir, 'fish', `${program}.fish`)}; complete -C $argv[1]`;
  const env = { ...process.env, HOME: cwd, LC_ALL: 'C.UTF-8' };
  const asked = spawnSync('fish', ['--no-config', '-c', script, line], { cwd, env, encoding: 'utf8' });
  if (asked.status !== 0 || asked.stderr !== '') throw new Error(`fish said: ${asked.stderr}`);
  return asked.stdout
    .split('\n')
    .filter((offer) => offer !== '')
    .map((offer) => offer.split('\t')[0] ?? '');
}
