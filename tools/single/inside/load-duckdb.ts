/** Replaces src/export/query/load-duckdb.ts: an executable cannot load packages, and DuckDB is larger than all the rest. */
import { exitCode, Failure } from '../../../src/base/failure.ts';

export function loadDuckDb(): Promise<never> {
  throw new Failure(
    exitCode.missing,
    'trace-host as a single file has no DuckDB',
    'use export --to parquet and a DuckDB of your own, or the npm packages virtio-trace and @duckdb/node-api',
  );
}
