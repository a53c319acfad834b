/**
 * The code of an error thrown by node:fs (`ENOENT`, …) or by Node itself (`ERR_…`); empty when the error has no
 * code.
 */
export function errorCode(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

/** The errno name of an error, e.g. `ENOENT`; empty if it has none, as for an aborted call or a bug. */
export function errnoOf(error: unknown): string {
  const code = errorCode(error);
  return /^E[A-Z0-9]+$/.test(code) ? code : '';
}

/** The error's code, or else its text, for a message; never empty. */
export function codeOf(cause: unknown): string {
  return errorCode(cause) || String(cause);
}
