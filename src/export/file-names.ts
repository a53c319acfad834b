import type { EventFormat } from '../trace/format/event-format.ts';

const maxNameLength = 120;

/**
 * A file name for an event type, without the extension: `sched.sched_switch`. Names come from the guest: characters
 * other than letters, digits and underscores are replaced, and the type's id is then added to keep the name unique.
 */
export function fileNameOf(id: number, format: EventFormat | undefined): string {
  if (format === undefined) return `unknown.event.${id}`;
  const { system, name } = format;
  const plain = [system, name].map((part) => part.replaceAll(/\W/g, '_').slice(0, maxNameLength));
  const isPlain = plain[0] === system && plain[1] === name;
  return isPlain ? `${system}.${name}` : `${plain.join('.')}.${id}`;
}
