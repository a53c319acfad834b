import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseHostOptions } from '../../../../../src/cli/host/options/host-options.ts';
import { assertUsage } from '../../assert-usage.ts';

function parse(...args: string[]) {
  const command = parseHostOptions(['explain', ...args]);
  return command.kind === 'explain' ? command.options : undefined;
}

describe('the options of explain', () => {
  it('have defaults', () => {
    assert.deepEqual(parse('s.dat'), {
      inputs: ['s.dat'],
      recording: undefined,
      guest: undefined,
      task: undefined,
      worst: 10,
      overNs: 0,
      perfetto: undefined,
      from: undefined,
      to: undefined,
      json: false,
    });
  });

  it('select waits', () => {
    const options = parse(
      'a',
      'b',
      '--guest',
      'web',
      '--task',
      '812',
      '--worst',
      '3',
      '--over',
      '1.5ms',
      '--json',
    );
    assert.deepEqual(
      [options!.inputs, options!.guest, options!.task, options!.worst, options!.overNs, options!.json],
      [['a', 'b'], 'web', 812, 3, 1_500_000, true],
    );
    assert.equal(parse('a', '--task', 'nginx')!.task, 'nginx');
    const lengths = ['20ns', '500us', '2s'].map((over) => parse('a', '--over', over)!.overNs);
    assert.deepEqual(lengths, [20, 500_000, 2e9]);
    assert.equal(parse('a', '--perfetto', 'w.pftrace')!.perfetto, 'w.pftrace');
  });

  it('must make sense', () => {
    assertUsage(() => parse('a', '--over', '5'), /"5" is not a length of time/, /500us/);
    assertUsage(() => parse('a', '--worst', '0'), /whole number from 1 to 10000/);
    assertUsage(() => parse('a', '--worst', '10001'), /whole number from 1 to 10000/);
    assertUsage(() => parse('a', '--task', ''), /a task is empty/);
    assertUsage(() => parse('a', '--perfetto', '-'), /--perfetto: stdout has the waits/, /name a file/);
    assertUsage(() => parse('a', '--perfetto', ''), /--perfetto is empty/);
    assertUsage(() => parse(), /no file to explain, and no guest to record/, /-A GUEST/);
  });

  it('record what is needed on both sides', () => {
    const { inputs, recording } = parse('-A', 'web', '-A', 'db', '--duration', '10s', '--dir', '/run/g')!;
    assert.deepEqual(inputs, []);
    assert.equal(recording!.isKept, false);
    const { options } = recording!;
    assert.deepEqual(options.host, {
      out: 'trace.dat',
      trace: { events: ['sched', 'irq', 'kvm'], clock: 'boot' },
      skipUnknown: ['sched', 'irq', 'kvm'],
      place: 'own',
    });
    const trace = { events: ['sched', 'irq', 'irq_vectors', 'timer'], clock: 'boot', instance: 'trace-host' };
    assert.deepEqual(
      options.guests,
      ['web', 'db'].map((guest) => ({
        location: { dir: '/run/g', guest },
        out: `trace-${guest}.dat`,
        trace,
        skipUnknown: ['sched', 'irq', 'irq_vectors', 'timer'],
      })),
    );
    assert.equal(options.durationMs, 10_000);
    assert.deepEqual(options.command, []);
  });

  it('take options of the recording, for all machines wherever they stand', () => {
    const command = parse(
      '-b',
      '8192',
      '-A',
      'web',
      '-o',
      'd/s.dat',
      '--max-size',
      '1M',
      '--json',
      '--',
      'ls',
      '-l',
    );
    const { options, isKept } = command!.recording!;
    assert.equal(isKept, true);
    assert.deepEqual([options.host!.out, options.guests[0]!.out], ['d/s.dat', 'd/s-web.dat']);
    assert.deepEqual([options.host!.trace!.bufferKb, options.guests[0]!.trace!.bufferKb], [8192, 8192]);
    assert.equal(parse('-A', 'web', '-b', '9')!.recording!.options.host!.trace!.bufferKb, 9);
    assert.equal(options.maxBytes, 2 ** 20);
    // what the command prints must not mix with the JSON
    assert.deepEqual([options.command, options.commandOutput], [['ls', '-l'], 'stderr']);
  });

  it('add events to those that are needed, of each machine as in record', () => {
    const needed = {
      host: ['sched', 'irq', 'kvm'],
      guest: ['sched', 'irq', 'irq_vectors', 'timer'],
    };
    const added = (...args: string[]) => {
      const { host, guests } = parse(...args)!.recording!.options;
      const [first, ...others] = [host!, ...guests].map(({ trace, skipUnknown }, index) => {
        const set = index === 0 ? needed.host : needed.guest;
        assert.deepEqual(trace!.events!.slice(0, set.length), set);
        assert.ok(typeof skipUnknown !== 'boolean');
        assert.deepEqual(skipUnknown.slice(0, set.length), set);
        // what of the others the machine may lack
        return [trace!.events!.slice(set.length), skipUnknown.slice(set.length)];
      });
      return { host: first, guests: others };
    };
    assert.deepEqual(added('-A', 'web', '-e', 'net', '-e', 'block:*'), {
      host: [[], []],
      guests: [[['net', 'block:*'], []]],
    });
    assert.deepEqual(added('-e', 'net', '-A', 'web', '-A', 'db', '-e', 'ext4', '-A', 'mail'), {
      host: [['net'], []],
      guests: [
        [['net'], ['net']],
        [['ext4'], []],
        [['ext4'], ['ext4']],
      ],
    });
  });

  it('are of a recording, or of files', () => {
    assertUsage(() => parse('-A', 'web', 's.dat'), /"s\.dat" is given to be explained/, /omit -A/);
    assertUsage(() => parse('-A', 'web', 's.dat.recording/'), /is given to be explained/, /omit -A/);
    for (const option of ['--duration=5', '-o=x', '-e=net', '--max-size=1M', '-b=8', '--dir=/x'])
      assertUsage(() => parse('s.dat', ...option.split('=')), /for a recording/, /add -A GUEST/);
    assertUsage(() => parse('-A', 'web', '--guest', 'db'), /"db" is not recorded/, /add -A db/);
    assertUsage(() => parse('-A', 'web', '-A', 'web'), /web is given twice/, /give it once/);
  });
});
