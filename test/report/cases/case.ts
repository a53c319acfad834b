import type { Case } from '../made-file.ts';

/** An event that no plugin knows. */
export function plain(what: string, fields: string, print: string): Case {
  return { what, fields, print };
}

/** A function that makes cases of one event. */
export function casesOf(event: string): (what: string, fields: string, print: string) => Case {
  return (what, fields, print) => ({ what, event, fields, print });
}
