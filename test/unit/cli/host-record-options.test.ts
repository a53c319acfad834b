import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseHostOptions } from '../../../src/cli/host-options.ts';
import type { RecordCommand } from '../../../src/cli/host-record-options.ts';
import { Failure } from '../../../src/failure.ts';
import { defaultDir } from '../../../src/host/guest-dir/location.ts';

function record(...args: string[]): RecordCommand {
  const command = parseHostOptions(['record', ...args]);
  assert.ok(command.kind === 'record');
  return command.options;
}

function refused(message: RegExp, ...args: string[]): void {
  assert.throws(
    () => parseHostOptions(['record', ...args]),
    (error) => error instanceof Failure && error.exitCode === 2 && message.test(error.message),
  );
}

describe('trace-host record', () => {
  it('without a word about what to trace asks the guest for nothing', () => {
    const { trace, guests, command } = record();
    assert.equal(trace, undefined);
    assert.deepEqual(guests, [{ location: { dir: defaultDir, guest: undefined }, out: 'trace.dat' }]);
    assert.deepEqual(command, []);
  });

  it('ties a filter to the event before it, and leaves out what stands behind -v', () => {
    const { trace } = record(
      '-e',
      'sched',
      '-e',
      'irq',
      '-f',
      'irq == 1',
      '-f',
      'ret != 0',
      '-v',
      '-e',
      'sched_stat_*',
    );
    assert.deepEqual(trace, {
      events: ['sched', 'irq'],
      eventsOff: ['sched_stat_*'],
      filters: { irq: '(irq == 1) && (ret != 0)' },
      instance: 'trace-host',
    });
    const odd = record('-e', 'constructor', '-f', 'a == 1', '-e', '__proto__', '-f', 'b == 1').trace?.filters;
    assert.deepEqual(Object.entries(odd ?? {}), [
      ['constructor', 'a == 1'],
      ['__proto__', 'b == 1'],
    ]);
    refused(/no event is before pid == 1/, '-f', 'pid == 1', '-e', 'sched');
  });

  it('traces in an instance of its own where the tracer can', () => {
    assert.equal(record('-p', 'function', '-l', 'vfs_*').trace?.instance, 'trace-host');
    assert.equal(record('-p', 'function_graph', '-g', 'vfs_read').trace?.instance, undefined);
    assert.equal(record('-e', 'sched', '-B', 'mine').trace?.instance, 'mine');
    assert.equal(record('-e', 'sched', '-B', 'top').trace?.instance, undefined);
    assert.deepEqual(record('-C', 'boot').trace, { clock: 'boot' });
  });

  it('names a file for each guest', () => {
    const { guests } = record('-A', 'web', '-A', 'db', '-o', '/var/tmp/t.dat');
    assert.deepEqual(
      guests.map(({ location, out }) => [location.guest, out]),
      [
        ['web', '/var/tmp/t-web.dat'],
        ['db', '/var/tmp/t-db.dat'],
      ],
    );
    refused(/web is named twice/, '-A', 'web', '-A', 'web');
    refused(/both name guests/, '-A', 'web', '--guest', 'db');
    refused(/no name of a guest/, '-A', '../web');
  });

  it('reads limits and the command', () => {
    const options = record(
      '--duration',
      '90',
      '--max-size',
      '2G',
      '-m',
      '64',
      '-b',
      '8192',
      '--',
      'ping',
      '-c',
      '3',
      'x',
    );
    assert.equal(options.durationMs, 90_000);
    assert.equal(options.maxBytes, 2 * 2 ** 30);
    assert.equal(options.capBytes, 65_536);
    assert.equal(options.trace?.bufferKb, 8192);
    assert.deepEqual(options.command, ['ping', '-c', '3', 'x']);
    assert.equal(record('--duration', '500ms').durationMs, 500);
  });

  it('leaves a command its own options, as trace-cmd does, with -- before it or without', () => {
    for (const words of [
      ['ls', '-l', '/'],
      ['--', 'ls', '-l', '/'],
    ]) {
      const { command, trace } = record('-e', 'sched', ...words);
      assert.deepEqual([command, trace?.functionFilter], [['ls', '-l', '/'], undefined]);
    }
  });

  it('takes a duration in any unit, up to 24 days', () => {
    const durationMs = (text: string): number | undefined => record('--duration', text).durationMs;
    assert.deepEqual(
      ['90', '500ms', '90s', '90m', '2h', '2073600'].map(durationMs),
      [90_000, 500, 90_000, 5_400_000, 7_200_000, 2_073_600_000],
    );
    for (const text of ['0', '0ms', '2073601', '577h', '1d', 'x'])
      refused(/--duration: .* is no time/, '--duration', text);
  });

  it('refuses what makes no sense', () => {
    refused(/no compression/, '--v6', '--compress', 'zstd');
    refused(/no whole number from 1 to/, '-b', '0');
    refused(/is no size/, '--max-size', '0');
    refused(/duration/, '--duration', '0');
    refused(/compress/, '--compress', 'gzip');
  });
});
