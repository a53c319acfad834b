/** The code of what a node:fs call threw (`ENOENT`, …) or Node itself (`ERR_…`); empty when it has none. */
export function errorCode(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

/** The errno's name alone: empty for what only a bug or an abort brings about. */
export function errnoOf(error: unknown): string {
  const code = errorCode(error);
  return /^E[A-Z0-9]+$/.test(code) ? code : '';
}

/** The code for a message: never empty. */
export function codeOf(cause: unknown): string {
  return errorCode(cause) || String(cause);
}
