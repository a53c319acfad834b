/** The errno name (`ENOENT`, …) of what a node:fs call threw; empty when it is no system error. */
export function errorCode(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

/** The same for a message: never empty. */
export function codeOf(cause: unknown): string {
  return errorCode(cause) || String(cause);
}
