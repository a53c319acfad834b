/** A text that a kernel should have written (a format, a header page) and did not. `what` names the text. */
export class FormatError extends Error {
  readonly what: string;

  constructor(what: string, reason: string) {
    super(`${what}: ${reason}`);
    this.name = 'FormatError';
    this.what = what;
  }
}
