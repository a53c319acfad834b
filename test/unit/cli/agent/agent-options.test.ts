import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { parseAgentOptions } from '../../../../src/cli/agent/agent-options.ts';
import { agentSettingNames, agentSettings } from '../../../../src/cli/agent/agent-settings.ts';
import { Failure } from '../../../../src/base/failure.ts';
import { orderNames } from '../../../../src/protocol/control.ts';
import type { AgentOptions } from '../../../../src/supervisor/options.ts';
import { assertUsage } from '../assert-usage.ts';
import { thorough } from '../../../set.ts';

const directory = mkdtempSync(join(tmpdir(), 'virtio-trace-options-'));
after(() => rmSync(directory, { recursive: true }));

const path = join(directory, 'agent.json');

/** The path of a configuration file with this content. */
function configFile(content: unknown): string {
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

function options(...argv: string[]): AgentOptions {
  const command = parseAgentOptions(argv, false);
  assert.ok(command.kind === 'run', 'a text instead of options');
  return command.options;
}

function said(...argv: string[]): string {
  const command = parseAgentOptions(argv, false);
  assert.ok(command.kind === 'say', 'options instead of a text');
  return command.text;
}

const defaults: AgentOptions = {
  cpus: undefined,
  stdout: false,
  framed: false,
  pipeBytes: 524288,
  portsDir: '/dev/virtio-ports',
  portName: 'trace-path-cpu%d',
  controlPort: 'agent-ctl-path',
  controlPortGiven: false,
  tracefs: undefined,
  instance: undefined,
  start: false,
  flushIntervalMs: 0,
  stopTimeoutMs: 10_000,
  maxRestarts: 10,
  standby: true,
  user: 'nobody',
  allow: new Set(orderNames),
  logLevel: 'info',
  logFormat: 'json',
};

/** Each setting: its form on the command line and in the file, and the options that result. */
const given: Record<keyof typeof agentSettings, [string[], unknown, Partial<AgentOptions>]> = {
  stdout: [['--stdout'], true, { stdout: true }],
  framed: [['--framed'], true, { framed: true }],
  pipeSize: [['--pipe-size', '1M'], '1M', { pipeBytes: 1048576 }],
  cpus: [['--cpus', '0-2,6'], [0, '1-2', 6], { cpus: [0, 1, 2, 6] }],
  portsDir: [['--ports-dir', '/tmp/ports'], '/tmp/ports', { portsDir: '/tmp/ports' }],
  portName: [['--port-name', 'p%d'], 'p%d', { portName: 'p%d' }],
  controlPort: [['--control-port', 'ctl'], 'ctl', { controlPort: 'ctl', controlPortGiven: true }],
  tracefs: [['--tracefs', '/t'], '/t', { tracefs: '/t' }],
  instance: [['--instance', 'host'], 'host', { instance: 'host' }],
  start: [['--start'], true, { start: true }],
  flushInterval: [['--flush-interval', '100'], 100, { flushIntervalMs: 100 }],
  stopTimeout: [['--stop-timeout', '2s'], '2s', { stopTimeoutMs: 2000 }],
  maxRestarts: [['--max-restarts', '0'], 0, { maxRestarts: 0 }],
  standby: [['--no-standby'], false, { standby: false }],
  user: [['--user', 'daemon'], 'daemon', { user: 'daemon' }],
  allow: [['--allow', 'start,stop'], ['start', 'stop'], { allow: new Set(['start', 'stop'] as const) }],
  logLevel: [['--log-level', 'debug'], 'debug', { logLevel: 'debug' }],
  logFormat: [['--log-format', 'pretty'], 'pretty', { logFormat: 'pretty' }],
};

/** A value that each setting refuses, as text and, if its type can be wrong, in the file. */
const bad: Record<keyof typeof agentSettings, [string | undefined, unknown[]]> = {
  stdout: [undefined, ['true', 1, null]],
  framed: [undefined, ['on', 1, null]],
  pipeSize: ['2M', [true, ['64K'], null, {}, 1]],
  cpus: ['3-1', [true, null, {}, [[0]], [], [1.5], -1, '']],
  portsDir: ['', [1, null, ['/dev']]],
  portName: ['trace', [1, 'a/%d']],
  controlPort: ['a/b', [false, '']],
  tracefs: ['', [1, {}]],
  instance: ['..', [1, ['host']]],
  start: [undefined, ['false', 0, 'yes']],
  flushInterval: ['-1', [-1, 0.5, '1d', true, 1e21]],
  stopTimeout: ['never', [null, '', [10]]],
  maxRestarts: ['many', [-1, 1.5, 1e9, '']],
  standby: [undefined, ['false', 0, 'no']],
  user: ['a b', [0, null]],
  allow: ['start,halt', ['', [], ['halt'], [true], {}]],
  logLevel: ['loud', [1, 'INFO']],
  logFormat: ['xml', [true, '']],
};

describe('parseAgentOptions', () => {
  it('has the defaults of the original C agent', () => {
    assert.deepEqual(options(), defaults);
  });

  it('accepts the short options of the original C agent', () => {
    assert.deepEqual(options('-o', '-s', '64K'), { ...defaults, stdout: true, pipeBytes: 65536 });
    assert.equal(options('-os64K').pipeBytes, 65536);
    assert.match(said('-h'), /^Usage: trace-agent/);
  });

  for (const name of agentSettingNames) {
    const [argv, inFile, changed] = given[name];
    const [badText, badInFile] = bad[name];
    const flag = `--${agentSettings[name].long}`;

    it(`accepts ${flag} on the command line and ${name} in the file`, () => {
      assert.deepEqual(options(...argv), { ...defaults, ...changed });
      assert.deepEqual(options('--config', configFile({ [name]: inFile })), { ...defaults, ...changed });
    });

    it(`names ${flag} or the key and the file for an invalid value`, () => {
      if (badText !== undefined) assertUsage(() => options(`${flag}=${badText}`), new RegExp(`^${flag}[: ]`));
      for (const value of badInFile)
        assertUsage(
          () => options('--config', configFile({ [name]: value })),
          new RegExp(`^${name} in ${path}`),
        );
    });
  }

  it('lets the command line override the file, and the file the defaults', () => {
    const config = configFile({
      pipeSize: '64K',
      cpus: '0',
      stdout: true,
      start: true,
      user: 'daemon',
      logFormat: 'pretty',
    });
    assert.deepEqual(options('--cpus', '1', '--config', config, '--no-stdout', '--log-format', 'json'), {
      ...defaults,
      pipeBytes: 65536,
      cpus: [1],
      stdout: false,
      start: true,
      user: 'daemon',
    });
    assert.equal(options('--config', config, '--cpus', 'all').cpus, undefined);
    assert.equal(
      options('--config', config, '--pipe-size', '512K').pipeBytes,
      524288,
      'also when it says the default',
    );
    assert.deepEqual(options('--config', config, '--no-start').start, false);
  });

  it('does not check a value in the file that the command line overrides', () => {
    assert.equal(options('--config', configFile({ pipeSize: '9M' }), '-s', '64K').pipeBytes, 65536);
  });

  it('logs in colour only to a terminal', () => {
    const command = parseAgentOptions([], true);
    assert.ok(command.kind === 'run');
    assert.equal(command.options.logFormat, 'pretty');
    assert.equal(options('--log-format', 'pretty').logFormat, 'pretty');
  });

  it('names an unknown argument, and suggests the nearest one', () => {
    assertUsage(
      () => options('--pipe-siz', '64K'),
      /^unknown option '--pipe-siz'$/,
      /^did you mean --pipe-size\?$/,
    );
    assertUsage(() => options('-x'), /^unknown option '-x'$/, /--help/);
    assertUsage(() => options('start'), /^unexpected argument "start"$/, /--help/);
    assertUsage(() => options('-s'), /'-s, --pipe-size <SIZE>' argument missing/, /--help/);
    assertUsage(() => options('--stdout=yes'), /--stdout/);
    assertUsage(() => options('-x\n\u001b[31m'), /^unknown option/);
    assertUsage(() => options('y\n'), /^unexpected argument "y\\n"$/);
  });

  it('lists every option with its default, and examples, in the help', () => {
    const help = said('--help');
    for (const name of agentSettingNames) assert.match(help, new RegExp(`--${agentSettings[name].long}\\b`));
    assert.match(help, /default: 512K/);
    assert.match(help, /--config <FILE>/);
    assert.match(help, /Examples:\n( {2}trace-agent.*\n){5,}/);
    assert.doesNotMatch(help, /--no-[a-z]+ {3}/, 'negated flags are told once, below');
  });

  it('accepts --json only with doctor, and no other operand', () => {
    const doctor = parseAgentOptions(['doctor', '--json', '--port-name', 'p%d'], false);
    assert.ok(doctor.kind === 'doctor' && doctor.json && doctor.options.portName === 'p%d');
    assert.throws(() => parseAgentOptions(['--json'], false), /--json only works with doctor/);
    assert.throws(() => parseAgentOptions(['docto'], false), /unexpected argument "docto"/);
  });

  it('has examples that it accepts itself', () => {
    const config = configFile({});
    const lines = [...said('-h').matchAll(/^ {2}trace-agent(.*?)(?: {2,}| >|$)/gm)].map(
      (match) => match[1] ?? '',
    );
    assert.ok(lines.length >= 5);
    for (const line of lines) {
      const argv = line
        .replace('/etc/virtio-trace/agent.json', config)
        .split(' ')
        .filter((word) => word !== '');
      const kind = argv[0] === 'doctor' ? 'doctor' : 'run';
      assert.equal(parseAgentOptions(argv, false).kind, kind, line);
    }
  });

  it('has a version', () => {
    assert.match(said('--version'), /^\d+\.\d+\.\d+\n$/);
  });

  it('returns options, a text or a Failure for any arguments', () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom(
        '-o',
        '-s',
        '--',
        '-',
        '--cpus',
        '--no-start',
        '--config',
        '64K',
        '-h',
        '--version',
        '__proto__',
      ),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), (argv) => {
        try {
          assert.match(parseAgentOptions(argv, false).kind, /^(run|say)$/);
        } catch (cause) {
          if (!(cause instanceof Failure)) throw cause;
          assert.ok(!/\p{Cc}/u.test(cause.message), cause.message);
        }
      }),
      { numRuns: thorough(500) },
    );
  });
});

describe('the configuration file', () => {
  it('is refused with its path when it cannot be read or is not a JSON object', () => {
    const missing = join(directory, 'missing.json');
    assertUsage(() => options('--config', missing), /^--config: cannot read .*missing\.json: ENOENT/);
    assertUsage(() => options('--config', directory), /^--config: cannot read .*: EISDIR/);
    assertUsage(
      () => options('--config', configFile('{"cpus": \n\n0-3}')),
      /agent\.json is not valid JSON: /,
    );
    assertUsage(() => options('--config', configFile('')), /is not valid JSON/);
    for (const content of ['[]', 'null', '"cpus"', '3'])
      assertUsage(() => options('--config', configFile(content)), /does not contain a JSON object/);
  });

  it('with an unknown key is refused with the key and the nearest known one', () => {
    const cases: [string, RegExp][] = [
      ['pipesize', /did you mean pipeSize\?/],
      ['pipe-size', /did you mean pipeSize\?/],
      ['port_name', /did you mean portName\?/],
      ['verbose', /^the keys are stdout, framed, pipeSize/],
      ['config', /^the keys are/],
      ['constructor', /^the keys are/],
      ['__proto__', /^the keys are/],
    ];
    for (const [key, remedy] of cases) {
      const content = `{${JSON.stringify(key)}: "x"}`;
      assertUsage(() => options('--config', configFile(content)), new RegExp(`unknown key "${key}"`), remedy);
    }
  });

  it('accepts numbers in place of a text of digits', () => {
    const config = configFile({
      pipeSize: 65536,
      cpus: 3,
      flushInterval: 50,
      stopTimeout: 0,
      maxRestarts: 3,
    });
    assert.deepEqual(options('--config', config), {
      ...defaults,
      pipeBytes: 65536,
      cpus: [3],
      flushIntervalMs: 50,
      stopTimeoutMs: 0,
      maxRestarts: 3,
    });
  });

  it('may be empty', () => {
    assert.deepEqual(options('--config', configFile({})), defaults);
  });
});
