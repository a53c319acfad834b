import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseHostOptions } from '../../../../../src/cli/host/options/host-options.ts';
import type { RecordTarget } from '../../../../../src/host/record/contract.ts';
import type { RecordCommand } from '../../../../../src/cli/host/options/record-options.ts';
import { Failure } from '../../../../../src/base/failure.ts';
import { defaultDir } from '../../../../../src/host/guest-dir/location.ts';

/** The options, and the request for the only guest. */
function record(...args: string[]): RecordCommand & Pick<RecordTarget, 'trace' | 'skipUnknown'> {
  const command = parseHostOptions(['record', ...args]);
  assert.ok(command.kind === 'record');
  const [guest] = command.options.guests;
  return { ...command.options, trace: guest?.trace, skipUnknown: guest?.skipUnknown ?? false };
}

function words(text: string): string[] {
  return text.split(' ');
}

function refused(message: RegExp, ...args: string[]): void {
  assert.throws(
    () => parseHostOptions(['record', ...args]),
    (error) => error instanceof Failure && error.exitCode === 2 && message.test(error.message),
  );
}

describe('trace-host record', () => {
  it('requests nothing from the guest if no option selects what to trace', () => {
    const { trace, guests, command } = record();
    assert.equal(trace, undefined);
    assert.deepEqual(guests, [
      {
        location: { dir: defaultDir, guest: undefined },
        out: 'trace.dat',
        trace: undefined,
        skipUnknown: false,
      },
    ]);
    assert.deepEqual(command, []);
  });

  it('applies a filter to the preceding event, and excludes events after -v', () => {
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
    refused(/no -e before pid == 1/, '-f', 'pid == 1', '-e', 'sched');
  });

  it('traces in a separate instance if the tracer works there', () => {
    assert.equal(record('-p', 'function', '-l', 'vfs_*').trace?.instance, 'trace-host');
    assert.equal(record('-p', 'function_graph', '-g', 'vfs_read').trace?.instance, undefined);
    assert.equal(record('-e', 'sched', '-B', 'mine').trace?.instance, 'mine');
    assert.equal(record('-e', 'sched', '-B', 'top').trace?.instance, undefined);
    assert.deepEqual(record('-C', 'boot').trace, { clock: 'boot' });
  });

  it('derives a file name for each guest', () => {
    const { guests } = record('-A', 'web', '-A', 'db', '-o', '/var/tmp/t.dat');
    assert.deepEqual(
      guests.map(({ location, out }) => [location.guest, out]),
      [
        ['web', '/var/tmp/t-web.dat'],
        ['db', '/var/tmp/t-db.dat'],
      ],
    );
    refused(/web is given twice/, '-A', 'web', '-A', 'web');
    refused(/--guest conflicts with --agent/, '-A', 'web', '--guest', 'db');
    refused(/not a guest name/, '-A', '../web');
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

  it('leaves a command its own options, like trace-cmd, with or without --', () => {
    for (const words of [
      ['ls', '-l', '/'],
      ['--', 'ls', '-l', '/'],
    ]) {
      const { command, trace } = record('-e', 'sched', ...words);
      assert.deepEqual([command, trace?.functionFilter], [['ls', '-l', '/'], undefined]);
    }
  });

  it('accepts a duration in any unit, up to 24 days', () => {
    const durationMs = (text: string): number | undefined => record('--duration', text).durationMs;
    assert.deepEqual(
      ['90', '500ms', '90s', '90m', '2h', '2073600'].map(durationMs),
      [90_000, 500, 90_000, 5_400_000, 7_200_000, 2_073_600_000],
    );
    for (const text of ['0', '0ms', '2073601', '577h', '1d', 'x'])
      refused(/--duration: .* is not a (?:time|valid recording time)/, '--duration', text);
  });

  it('begins new files by size or by time', () => {
    const rotation = (...args: string[]): object | undefined => record(...args).rotation;
    assert.equal(rotation(), undefined);
    assert.deepEqual(rotation('--rotate', '100M', '--keep', '10', '-o', '/x/s.dat'), {
      bytes: 100 * 2 ** 20,
      keep: 10,
      base: '/x/s.dat',
    });
    const often = (text: string): unknown[] => {
      const { bytes, everyMs } = record('--rotate', text).rotation ?? {};
      return [bytes, everyMs];
    };
    assert.deepEqual(['1G', '2048k', '90s', '1.5h', '5m', '1500ms'].map(often), [
      [2 ** 30, undefined],
      [2 ** 21, undefined],
      [undefined, 90_000],
      [undefined, 5_400_000],
      [undefined, 300_000],
      [undefined, 1500],
    ]);
    for (const text of ['100', '1023k', '0M', '999ms', '0s', '1.5G', '1d', 'daily', ''])
      refused(/--rotate: .* is no size or time|is not a (?:size|time|valid)/, '--rotate', text);
    refused(/--keep: .* is not a whole number from 1/, '--rotate', '1h', '--keep', '0');
    refused(/--keep only works with --rotate/, '--keep', '3');
    refused(/--max-kb conflicts with --rotate/, '--rotate', '1h', '-m', '100');
    refused(/--print conflicts with --rotate/, '--rotate', '1h', '--print');
  });

  it('refuses invalid combinations', () => {
    refused(/no compression/, '--v6', '--compress', 'zstd');
    refused(/not a whole number from 1 to/, '-b', '0');
    refused(/is not a size/, '--max-size', '0');
    refused(/duration/, '--duration', '0');
    refused(/compress/, '--compress', 'gzip');
  });
});

describe('trace-host record of this host and guests', () => {
  /** What the host and each guest trace, by name. */
  function traced(line: string): Record<string, string> {
    const { host, guests } = record(...words(line));
    const show = ({ trace = {} }: Pick<RecordTarget, 'trace'>): string => {
      const { events = [], tracer, clock, bufferKb, pids, instance } = trace;
      return [...events, tracer, clock, bufferKb, pids, instance]
        .filter((each) => each !== undefined)
        .join(' ');
    };
    return {
      ...(host === undefined ? {} : { host: `${show(host)} (${host.place})` }),
      ...Object.fromEntries(guests.map((guest) => [guest.location.guest ?? '', show(guest)])),
    };
  }

  it('options before the first -A are those of this host, and a section without events takes those before it', () => {
    assert.deepEqual(traced('-e sched -e irq -A web -A db --duration 10s'), {
      host: 'sched irq boot (own)',
      web: 'sched irq boot trace-host',
      db: 'sched irq boot trace-host',
    });
    assert.deepEqual(traced('-e kvm -e sched -A web -e sched -A db'), {
      host: 'kvm sched boot (own)',
      web: 'sched boot trace-host',
      db: 'sched boot trace-host',
    });
    assert.deepEqual(traced('-p function -A web -e net'), {
      host: 'function boot (own)',
      web: 'net boot trace-host',
    });
  });

  it('without events before the first -A the host is not traced, and options there are for all guests', () => {
    assert.deepEqual(traced('-A web -e sched'), { web: 'sched trace-host' });
    assert.deepEqual(traced('-A web -A db -e net'), { web: 'net trace-host', db: 'net trace-host' });
    assert.deepEqual(traced('-b 64 -C mono -A web -e sched -A db'), {
      web: 'sched mono 64 trace-host',
      db: 'sched mono 64 trace-host',
    });
    assert.deepEqual(traced('-e sched'), { '': 'sched trace-host' });
    assert.deepEqual(traced('-e sched --guest web'), { web: 'sched trace-host' });
  });

  it('--host records only this host, or it too', () => {
    assert.deepEqual(traced('--host -e sched'), { host: 'sched boot (own)' });
    assert.deepEqual(traced('--host -A web -e sched'), {
      host: 'sched boot (own)',
      web: 'sched boot trace-host',
    });
    assert.deepEqual(traced('-e sched -B top --host'), { host: 'sched (top)' });
    assert.deepEqual(traced('-e sched -B mine --host'), { host: 'sched boot mine (top)' });
    refused(/--host: no option says what to trace/, '--host');
    refused(/--host: no option says what to trace/, '--host', '-A', 'web', '-b', '64');
    refused(/--host conflicts with --guest/, '--host', '-e', 'sched', '--guest', 'web');
    refused(
      /--keep-settings: the instance of a recording of this host is removed/,
      '--host',
      '-e',
      'sched',
      '-k',
    );
  });

  it('clock and ring size are taken over, but no tasks, CPUs and instances', () => {
    assert.deepEqual(traced('-e sched -C mono -b 64 -P 1 -B mine -A web -e net -P 2 -A db'), {
      host: 'sched mono 64 1 mine (top)',
      web: 'net mono 64 2 trace-host',
      db: 'net mono 64 trace-host',
    });
    assert.equal(record(...words('-e sched -M 1 -A web')).guests[0]?.trace?.cpuMask, undefined);
  });

  it('a section takes events with their filters, and skips what its kernel does not have', () => {
    const { host, guests } = record('-e', 'kvm', '-f', 'a == 1', '-A', 'web', '-A', 'db', '-e', 'irq');
    const [web, db] = guests;
    assert.deepEqual(web?.trace?.filters, { kvm: 'a == 1' });
    assert.equal(db?.trace?.filters, undefined);
    assert.deepEqual([host?.skipUnknown, web?.skipUnknown, db?.skipUnknown], [false, true, false]);
    refused(/--plugin: a recording can only have one tracer/, ...words('-p nop -p function -A web'));
    assert.equal(record(...words('-p nop -A web -p function')).guests[0]?.trace?.tracer, 'function');
  });

  it('names the files like trace-cmd, and prints one machine only', () => {
    const { host, guests } = record(...words('-o /x/s.dat -e sched -A web -A db'));
    assert.deepEqual(
      [host?.out, ...guests.map(({ out }) => out)],
      ['/x/s.dat', '/x/s-web.dat', '/x/s-db.dat'],
    );
    refused(/--print works with a single/, ...words('--print -e sched -A web'));
    assert.equal(record(...words('--print --host -e sched')).print, true);
  });
});

describe("trace-cmd's options for trace-host record", () => {
  it('select what to trace', () => {
    const { trace } = record(
      ...words('-e sched_wakeup -R stacktrace:5 -R'),
      'traceoff if prio == 0',
      ...words('-f pid>1 -v -e sched_switch -R snapshot -T -O nooverwrite -O sym-offset'),
      ...words('-P 12,13 -P 14 -c -M 0x5 -k'),
    );
    assert.deepEqual(trace, {
      events: ['sched_wakeup'],
      eventsOff: ['sched_switch'],
      filters: { sched_wakeup: 'pid>1' },
      triggers: { sched_wakeup: ['stacktrace:5', 'traceoff if prio == 0'], sched_switch: ['snapshot'] },
      options: { overwrite: false, 'sym-offset': true, stacktrace: true },
      pids: [12, 13, 14],
      children: true,
      cpuMask: '5',
      keep: true,
      instance: 'trace-host',
    });
    assert.deepEqual(record('-p', 'function_graph', '--max-graph-depth', '3', '-d').trace, {
      tracer: 'function_graph',
      maxGraphDepth: 3,
      options: { 'function-trace': false },
    });
    const stacks = record('-p', 'function', '-l', 'vfs_*', '--func-stack', '--subbuf-size', '16').trace;
    assert.deepEqual([stacks?.options, stacks?.subBufferKb], [{ func_stack_trace: true }, 16]);
  });

  it('accept a mask of any length', () => {
    const mask = (text: string): string | undefined => record('-M', text).trace?.cpuMask;
    assert.deepEqual(
      [mask('-1'), mask('F'), mask('0xff00000000'), mask('1,00000000')],
      ['-1', 'F', 'ff,00000000', '1,00000000'],
    );
    refused(/--cpumask: "g" is not a hexadecimal mask/, '-M', 'g');
  });

  it('apply a module to every function', () => {
    const functions = (...args: string[]): readonly string[] | undefined =>
      record('-p', 'function', ...args).trace?.functionFilter;
    assert.deepEqual(functions('--module', 'ext4'), [':mod:ext4']);
    assert.deepEqual(functions('-l', 'ext4_*', '--module', 'ext4'), ['ext4_*:mod:ext4']);
  });

  it('select how to record', () => {
    const options = record('-q', '-i', '--file-version', '6', '--duration', '1.5');
    assert.deepEqual(
      [options.quiet, options.skipUnknown, options.version, options.durationMs],
      [true, true, 6, 1500],
    );
    assert.deepEqual(
      ['any', 'zstd', 'none'].map((how) => record('--compression', how).compress),
      ['zstd', 'zstd', 'none'],
    );
    refused(/--v6 conflicts with --file-version 7/, '--v6', '--file-version', '7');
    refused(/no compression/, '--file-version', '6', '--compression', 'any');
  });

  it('that require others are refused without them', () => {
    refused(/--children only works with --pid/, '-c');
    refused(/--func-stack for all functions/, '-p', 'function', '--func-stack');
    refused(/--func-stack for all functions/, '-l', 'vfs_read', '--func-stack');
    refused(/--trigger: no -e before stacktrace/, '-R', 'stacktrace');
    refused(/--instance: a recording can only have one instance/, '-B', 'a', '-e', 'sched', '-B', 'b');
    refused(/--plugin: a recording can only have one tracer/, '-p', 'function', '-p', 'nop');
    refused(
      /--module: a recording can only be limited to one module/,
      '-p',
      'function',
      '--module',
      'a',
      '--module',
      'b',
    );
    refused(/--compress conflicts with --compression/, '--compress', 'zstd', '--compression', 'none');
    assert.deepEqual(record('-P', '1,,2,').trace?.pids, [1, 2]);
    assert.ok(record('-p', 'function', '--module', 'kvm', '--func-stack').trace?.options);
  });

  it('that have no effect here are accepted, with a remark', () => {
    const { trace, remarks } = record('-a', '-s', '1000', '--poll', '--no-filter', '--cmdlines-size', '4096');
    assert.equal(trace, undefined);
    assert.deepEqual(
      remarks.map((remark) => remark.split(' ')[0]),
      ['-a', '-s', '--poll', '--no-filter', '--cmdlines-size'],
    );
    assert.deepEqual(record('-e', 'sched', '-f', 'pid == 1', '--no-filter').trace?.filters, {
      sched: 'pid == 1',
    });
  });

  it('that are not supported are refused by name, with the reason', () => {
    refused(/^-F of trace-cmd: the command runs on this host/, '-F', 'true');
    refused(/^-N of trace-cmd: .*no network is involved/, '-N', 'host:1234', '-e', 'sched');
    refused(/^--user of trace-cmd/, '--user', 'nobody', 'true');
    assert.deepEqual(record('-e', 'sched', 'true', '-F').command, ['true', '-F']);
  });

  it("with an invalid value are refused with the option's name", () => {
    refused(/^--instance must be a name, not "a:b"/, '-B', 'a:b', '-e', 'sched');
    refused(/^--function must be the name of a function/, '-p', 'function', '-l', 'vfs_read:traceoff');
    refused(/^--filter of sched must be one line/, '-e', 'sched', '-f', ' ');
    refused(/^--pid: "x" is not a whole number/, '-P', '1,x');
    refused(/^--option/, '-O', 'a b');
  });
});
