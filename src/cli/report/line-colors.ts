/** When to color the lines of a report; other tools use the same words for `--color`. */
export const colorChoices = ['auto', 'always', 'never'] as const;
export type ColorChoice = (typeof colorChoices)[number];

/** Whether to write colors. `auto`: on a terminal, unless FORCE_COLOR or NO_COLOR say otherwise. */
export function wantsColor(
  choice: ColorChoice,
  isTerminal: boolean,
  environment: NodeJS.ProcessEnv = process.env,
): boolean {
  if (choice !== 'auto') return choice === 'always';
  const { FORCE_COLOR: forced, NO_COLOR: none, TERM: terminal } = environment;
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  if (none !== undefined && none !== '') return false;
  return isTerminal && terminal !== 'dumb';
}

const reset = '\x1b[0m';
const dim = '\x1b[2m';
const red = '\x1b[31m';
const colorOfSystem: Readonly<Record<string, string>> = {
  sched: '\x1b[36m',
  irq: '\x1b[33m',
  irq_vectors: '\x1b[33m',
};

/**
 * The beginning of an event's line: the task, the CPU (with `-l`, the flags too), the time, with `--ts-diff` the
 * difference, and the event's name.
 */
const eventLine =
  /^(.*?-\d{1,10} {1,12})(\[\d{1,5}\]|\d{1,5}[-.\w]{3,20})( {0,12}\d[\d.]{0,30})(: {0,12}(?:\(\+-?\d{1,20}\) {0,12})?)([^\s:]{1,200})(?=: )/;
/**
 * Number of characters of a line that the regular expressions read: parts of the line come from a guest, which could
 * otherwise make them slow.
 */
const headLength = 400;
const lostLine = /^(?: *\S+: | +)?CPU:\d+ \[(?:\d+ )?EVENTS DROPPED\]$/;

/**
 * Colors the lines of a report, which arrive in pieces of any size: CPU and time dim, the names of scheduler and
 * interrupt events by their system, lost events red. A line is returned when it is complete.
 */
export class LineColors {
  readonly #systems: ReadonlyMap<string, string>;
  #rest = '';

  /** @param systems the system of each event, by event name */
  constructor(systems: ReadonlyMap<string, string>) {
    this.#systems = systems;
  }

  color(bytes: Uint8Array): Uint8Array {
    // latin1 keeps every byte
    const text = this.#rest + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
    const end = text.lastIndexOf('\n') + 1;
    this.#rest = text.slice(end);
    const lines = text.slice(0, end).split('\n');
    return Buffer.from(lines.map((line) => this.#line(line)).join('\n'), 'latin1');
  }

  #line(line: string): string {
    const head = line.slice(0, headLength);
    if (lostLine.test(head)) return `${red}${line}${reset}`;
    const colored = head.replace(
      eventLine,
      (_, task: string, cpu: string, time: string, gap: string, name: string) => {
        const color = colorOfSystem[this.#systems.get(name) ?? ''];
        return `${task}${dim}${cpu}${time}${reset}${gap}${color === undefined ? name : `${color}${name}${reset}`}`;
      },
    );
    return colored + line.slice(headLength);
  }
}
