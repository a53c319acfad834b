import { errorCode } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';

export type DuckDb = typeof import('@duckdb/node-api');

/** Loads DuckDB, an optional package of 70 MB. Throws Failure if it is not installed, or not for this machine. */
export async function loadDuckDb(): Promise<DuckDb> {
  try {
    return await import('@duckdb/node-api');
  } catch (cause) {
    const code = errorCode(cause);
    if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND' && code !== 'ERR_DLOPEN_FAILED')
      throw cause;
    throw new Failure(
      exitCode.missing,
      code === 'ERR_DLOPEN_FAILED'
        ? 'the npm package @duckdb/node-api does not work on this machine'
        : 'trace-host query needs the npm package @duckdb/node-api',
      'run npm install @duckdb/node-api where virtio-trace is installed (with -g if that is global), or use trace-host export --to parquet',
      { cause },
    );
  }
}
