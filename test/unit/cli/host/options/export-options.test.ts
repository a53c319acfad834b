import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { exitCode, Failure } from '../../../../../src/base/failure.ts';
import { type HostCommand, parseHostOptions } from '../../../../../src/cli/host/options/host-options.ts';

function parse(line: string): HostCommand {
  return parseHostOptions(line.split(' '));
}

function formatOf(line: string): string {
  const command = parse(line);
  assert.ok(command.kind === 'export');
  return command.options.to;
}

describe('export and query', () => {
  it('take the format from the name, unless it is given', () => {
    for (const [out, format] of [
      ['a.pftrace', 'perfetto'],
      ['a.perfetto-trace.gz', 'perfetto'],
      ['a.b.ndjson', 'ndjson'],
      ['a.jsonl.gz', 'ndjson'],
      ['a.csv', 'csv'],
    ] as const)
      assert.equal(formatOf(`export trace.dat -o ${out}`), format, out);
    assert.equal(formatOf('export trace.dat -o a.csv --to perfetto'), 'perfetto');
  });

  it('refuse what cannot be', () => {
    for (const [line, message] of [
      ['export trace.dat', /no output given/],
      ['export trace.dat -o a.constructor', /"a\.constructor" does not name a format/],
      ['export trace.dat --to xml', /--to: "xml" is not one of perfetto, ndjson, csv, parquet/],
      ['export trace.dat --to .csv', /--to: "\.csv" is not one of/],
      ['export trace.dat --to 5x -o a.csv', /--to: "5x" is not a time/],
      ['export trace.dat -o a.csv -o b.csv', /two outputs given: "a\.csv" and "b\.csv"/],
      ['export trace.dat -o -', /stdout does not name a format/],
      ['export trace.dat -o a --to xml', /--to: "xml" is not one of perfetto, ndjson, csv, parquet/],
      ['export trace.dat -o a.csv --generic-events', /--generic-events only works with --to perfetto/],
      ['export trace.dat -o - --to parquet', /Parquet is a directory/],
      ['export trace.dat -o dir --to csv --gzip', /--gzip does not work for a directory/],
      ['query trace.dat x --json --csv', /--json conflicts with --csv/],
      ['query trace.dat', /^no query given$/],
      ['query host.dat web.dat', /^no query given$/],
      ['query host.dat select 1', /"select" is not a file/],
    ] as const) {
      assert.throws(
        () => parse(line),
        (error) =>
          error instanceof Failure && error.exitCode === exitCode.usage && message.test(error.message),
        line,
      );
    }
  });
});
