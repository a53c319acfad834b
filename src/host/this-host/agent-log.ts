import { isObject } from '../../base/json-type.ts';

const maxPendingChars = 64 * 1024;

/** Splits an agent's log into messages: JSON lines, and the text of a crash. */
export class AgentLog {
  readonly #say: (text: string) => void;
  #pending = '';

  constructor(say: (text: string) => void) {
    this.#say = say;
  }

  hear(text: string): void {
    const lines = (this.#pending + text).split('\n');
    this.#pending = (lines.pop() ?? '').slice(0, maxPendingChars);
    for (const line of lines) if (line.trim() !== '') this.#say(messageOf(line));
  }
}

/** The message of a line, with the CPU that it is about. */
function messageOf(line: string): string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return line;
  }
  if (!isObject(value)) return line;
  const { msg, cpu } = value;
  return `${typeof cpu === 'number' ? `CPU ${cpu}: ` : ''}${typeof msg === 'string' ? msg : line}`;
}
