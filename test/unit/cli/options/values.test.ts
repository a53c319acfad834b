import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseChoice, parseChoices, parseCount } from '../../../../src/cli/options/choice.ts';
import { parseDurationMs } from '../../../../src/cli/options/duration.ts';
import { parseFileName, parsePath, parsePortTemplate, parseUser } from '../../../../src/cli/options/names.ts';
import { nearestName } from '../../../../src/cli/options/nearest-name.ts';
import { parsePipeBytes } from '../../../../src/cli/options/size.ts';
import { assertUsage } from '../assert-usage.ts';

describe('parsePipeBytes', () => {
  it('reads bytes, K and M, and rounds down to pages', () => {
    const sizes: [string, number][] = [
      ['65536', 65536],
      ['65537', 65536],
      ['69631', 65536],
      ['69632', 69632],
      ['64K', 65536],
      ['512k', 524288],
      ['1M', 1048576],
      ['1m', 1048576],
      ['1048576', 1048576],
      [' 100K ', 102400],
      ['101K', 102400],
    ];
    for (const [text, bytes] of sizes) assert.equal(parsePipeBytes(text, '-s'), bytes, text);
  });

  it('reports the limits for a size outside them, and the syntax for anything else', () => {
    for (const text of ['0', '65535', '63K', '0M'])
      assertUsage(
        () => parsePipeBytes(text, '-s'),
        new RegExp(`^-s: a pipe of "${text}" is below 64K`),
        /64K to 1M/,
      );
    for (const text of ['1048577', '1025K', '2M', '99999999999999999999'])
      assertUsage(() => parsePipeBytes(text, '-s'), /is above 1M/, /64K to 1M/);
    assertUsage(() => parsePipeBytes('9'.repeat(5000), '-s'), /is above 1M/);
    for (const text of [
      '',
      'K',
      '64KB',
      '64G',
      '-64K',
      '0x10000',
      '1e5',
      '0.5M',
      '64 K',
      '64K\0',
      'x'.repeat(5000),
    ])
      assertUsage(() => parsePipeBytes(text, '-s'), /is not a size/, /512K/);
  });
});

describe('parseDurationMs', () => {
  it('reads milliseconds, bare or with a unit, seconds, minutes and hours', () => {
    const times: [string, number][] = [
      ['0', 0],
      ['250', 250],
      ['500ms', 500],
      ['10s', 10_000],
      ['3600s', 3_600_000],
      ['5m', 300_000],
      ['1h', 3_600_000],
      ['1.5s', 1500],
      ['1.005s', 1005],
      ['0.25m', 15_000],
    ];
    for (const [text, ms] of times) assert.equal(parseDurationMs(text, '--stop-timeout'), ms, text);
  });

  it('refuses an invalid time, and more than an hour', () => {
    for (const text of [
      '',
      's',
      '-1',
      '0.5',
      '1.5ms',
      '1.0001s',
      '.5s',
      '1.s',
      '1e3',
      '10 s',
      '1min',
      '1d',
      '10S',
      'never',
    ])
      assertUsage(
        () => parseDurationMs(text, '--stop-timeout'),
        /^--stop-timeout: .* is not a time/,
        /500ms, 10s or 5m/,
      );
    for (const text of ['3600001', '3601s', '61m', '2h', '9'.repeat(5000)])
      assertUsage(() => parseDurationMs(text, '--stop-timeout'), /more than an hour/);
  });
});

describe('names', () => {
  it('accepts the name of a file in a directory, and no path', () => {
    for (const text of ['agent-ctl-path', 'a', '...', '-', 'ünï', 'x'.repeat(255)])
      assert.equal(parseFileName(text, '--control-port'), text);
    for (const text of ['a/b', '/', '.', '..', '../x', 'a\0b'])
      assertUsage(() => parseFileName(text, '--control-port'), /^--control-port: .* is not a file name/);
    assertUsage(() => parseFileName('', '--control-port'), /is empty/);
    assertUsage(() => parseFileName('é'.repeat(128), '--control-port'), /longer than 255 bytes/);
  });

  it('accepts a port name with one %d', () => {
    for (const text of ['trace-pipe-cpu%d', '%d', 'a%db'])
      assert.equal(parsePortTemplate(text, '--port-name'), text);
    for (const text of ['trace-path-cpu', '%d%d', 'cpu%s', 'cpu%d%%', '%', '%dx%s', 'cpu%2d'])
      assertUsage(() => parsePortTemplate(text, '--port-name'), /exactly one %d/, /trace-path-cpu%d/);
    assertUsage(() => parsePortTemplate('a/%d', '--port-name'), /not a file name/);
  });

  it('accepts any path except an empty one and one that the kernel does not accept', () => {
    for (const text of ['/dev/virtio-ports', '.', 'a/../b', '/'])
      assert.equal(parsePath(text, '--tracefs'), text);
    assertUsage(() => parsePath('', '--tracefs'), /is empty/);
    assertUsage(() => parsePath('/a\0b', '--tracefs'), /not a valid path/);
    assertUsage(() => parsePath(`/${'x'.repeat(4095)}`, '--tracefs'), /not a valid path/);
  });

  it("accepts the syntax of a user's name", () => {
    for (const text of ['nobody', '_apt', '65534', 'first.last', 'host$', 'a@b'])
      assert.equal(parseUser(text, '--user'), text);
    for (const text of ['', 'a b', 'a:b', '../x', '-u', 'a\n'])
      assertUsage(() => parseUser(text, '--user'), /not a valid name/);
  });
});

describe('words and counts', () => {
  const words = ['start', 'stop', 'status'] as const;

  it('accepts one word of a set', () => {
    assert.equal(parseChoice('stop', '--allow', words), 'stop');
    assertUsage(
      () => parseChoice('stpo', '--allow', ['info', 'stop']),
      /"stpo" is not one of info, stop/,
      /use one of/,
    );
    assertUsage(() => parseChoice('statsu', '--allow', words), /not one of/, /did you mean status\?/);
    for (const text of ['', 'STOP', 'constructor', 'x'.repeat(5000)])
      assertUsage(() => parseChoice(text, '--allow', words), /is not one of start, stop, status/);
  });

  it('accepts several words, or all', () => {
    assert.deepEqual(parseChoices('stop, start,stop', '--allow', words), new Set(['stop', 'start']));
    assert.deepEqual(parseChoices('all', '--allow', words), new Set(words));
    assertUsage(() => parseChoices('start,', '--allow', words), /"" is not one of/);
    assertUsage(() => parseChoices('', '--allow', words), /"" is not one of/);
    assertUsage(() => parseChoices('start,all', '--allow', words), /"all" is not one of/);
  });

  it('accepts a whole number up to its limit', () => {
    assert.equal(parseCount('0', '--max-restarts', 1000), 0);
    assert.equal(parseCount('1000', '--max-restarts', 1000), 1000);
    for (const text of ['', '-1', '1001', '1.5', '1e2', '0x1', 'x', '9'.repeat(400)])
      assertUsage(() => parseCount(text, '--max-restarts', 1000), /not a whole number from 0 to 1000/);
  });
});

describe('nearestName', () => {
  const names = ['pipeSize', 'portsDir', 'portName', 'cpus'];

  it('finds the word that was most likely mistyped', () => {
    assert.equal(nearestName('pipesize', names), 'pipeSize');
    assert.equal(nearestName('pipSize', names), 'pipeSize');
    assert.equal(nearestName('portNmae', names), 'portName');
    assert.equal(nearestName('cpu', names), 'cpus');
  });

  it('suggests nothing for an unlike name', () => {
    for (const typed of ['', 'x', 'verbose', 'p'.repeat(1_000_000)])
      assert.equal(nearestName(typed, names), undefined, typed.slice(0, 9));
  });
});
