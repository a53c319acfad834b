import { randomBytes } from 'node:crypto';

/** An id of a recording, job or watch: the time, so that ids are in order, and random digits. Safe as a file name. */
export function newId(now = new Date()): string {
  const time = now
    .toISOString()
    .replaceAll(/[-:]|\.\d+/g, '')
    .toLowerCase();
  return `${time}-${randomBytes(4).toString('hex')}`;
}

/** Whether a text can be an id. Nothing else becomes part of a path. */
export function isId(text: string): boolean {
  return /^[\da-z][\da-z-]{0,63}$/.test(text);
}
