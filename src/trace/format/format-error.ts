/** A malformed text of a kernel (a format, a header page). `what` names the text. */
export class FormatError extends Error {
  readonly what: string;

  constructor(what: string, reason: string) {
    super(`${what}: ${reason}`);
    this.name = 'FormatError';
    this.what = what;
  }
}
