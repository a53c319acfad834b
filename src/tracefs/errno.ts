/** The errno name (`ENOENT`, …) of what a node:fs call threw; empty when it is no system error. */
export function errnoName(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}
