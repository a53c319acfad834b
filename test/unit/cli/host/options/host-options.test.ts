import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  hostExamples,
  hostProgram,
  parseHostOptions,
} from '../../../../../src/cli/host/options/host-options.ts';
import { assertUsage } from '../../assert-usage.ts';
import { defaultDir } from '../../../../../src/host/guest-dir/location.ts';

const location = { dir: defaultDir, guest: undefined };

function parse(line: string) {
  return parseHostOptions(line.split(' '));
}

describe('parseHostOptions', () => {
  it('reads orders', () => {
    const options = { location, timeoutMs: 5000, json: false };
    assert.deepEqual(parse('status'), { kind: 'status', options });
    assert.deepEqual(parse('start --bare'), { kind: 'start', options, bare: true });
    assert.deepEqual(parse('stop --guest web --dir /d --timeout 1s --json'), {
      kind: 'stop',
      options: { location: { dir: '/d', guest: 'web' }, timeoutMs: 1000, json: true },
      bare: false,
    });
  });

  it('reads metadata, whose output file has its own default', () => {
    const options = { location, timeoutMs: 5000, json: false };
    assert.deepEqual(parse('metadata'), { kind: 'metadata', options, out: 'metadata.tar.gz' });
    assert.deepEqual(parse('metadata -o m.tgz --json'), {
      kind: 'metadata',
      options: { ...options, json: true },
      out: 'm.tgz',
    });
  });

  it('reads setups', () => {
    const options = {
      location,
      cpus: undefined,
      chardev: undefined,
      transport: undefined,
      group: undefined,
      format: 'qemu',
      applyTo: undefined,
      remove: false,
    };
    assert.deepEqual(parse('setup'), { kind: 'setup', options });
    assert.deepEqual(parse('setup --cpus 4 --chardev socket --transport ccw --group kvm --format libvirt'), {
      kind: 'setup',
      options: { ...options, cpus: 4, chardev: 'socket', transport: 'ccw', group: 'kvm', format: 'libvirt' },
    });
    const domain = { ...options, format: undefined, applyTo: { kind: 'domain', domain: 'my vm' } };
    assert.deepEqual(parseHostOptions(['setup', '--apply', '--domain', 'my vm']), {
      kind: 'setup',
      options: domain,
    });
    const qmp = { ...options, applyTo: { kind: 'qmp', socket: '/q' }, format: 'json' };
    assert.deepEqual(parse('setup --apply --qmp /q --format json'), { kind: 'setup', options: qmp });
    const remove = { ...options, remove: true };
    assert.deepEqual(parse('setup --remove'), { kind: 'setup', options: remove });
  });

  it('prints help and version, and each command has its own help', () => {
    for (const line of ['--help', 'help', 'help setup', 'setup --help', 'ping -h', '--version'])
      assert.equal(parse(line).kind, 'say', line);
    const help = parse('help stop');
    assert.ok(help.kind === 'say' && /Usage: trace-host stop .*Examples:/s.test(help.text));
  });

  it('has examples that it accepts itself', () => {
    const { commands } = hostProgram(
      () => {},
      () => {},
    );
    const lines = commands.flatMap((command) => hostExamples(command.name()).map(([line]) => line));
    assert.ok(lines.length >= 15);
    for (const line of lines) {
      const [, own = ''] = /\$\(trace-host ([^)]*)\)/.exec(line) ?? /\btrace-host (.*)/.exec(line) ?? [];
      const words = [...own.matchAll(/"([^"]*)"|'([^']*)'|\S+/g)].map(
        ([word, double, single]) => double ?? single ?? word,
      );
      assert.notEqual(parseHostOptions(words).kind, 'say', line);
    }
  });

  it('reports what is wrong and what to do', () => {
    const cases: [string, RegExp, RegExp?][] = [
      ['strat', /unknown command 'strat'/, /did you mean start/],
      ['status --jsno', /unknown option '--jsno'/, /did you mean --json/],
      ['status x', /unexpected argument "x"/, /trace-host status --help/],
      ['status --bare', /unknown option '--bare'/],
      ['status --timeout 0', /--timeout: must be more than 0/],
      ['setup --cpus 0', /"0" is not a whole number from 1 to 8192/],
      ['setup --cpus 8193', /--cpus: "8193" is not a whole number from 1 to 8192/, /from 1 to 8192/],
      ['setup --chardev tcp', /--chardev: "tcp" is not one of pipe, socket/],
      ['setup --transport usb', /--transport: "usb" is not one of pci, mmio, ccw/],
      ['setup --remove --transport mmio', /--remove conflicts with --transport/],
      ['setup --format xml', /--format/],
      ['setup --apply', /--apply needs to know the guest/],
      ['setup --qmp /q', /--qmp only works with --apply/],
      ['setup --domain d', /--domain only works with --apply/],
      ['setup --apply --qmp /q --domain d', /--qmp conflicts with --domain/],
      ['setup --apply --domain --live', /--domain/],
      ['setup --remove --cpus 2', /--remove conflicts with --cpus/],
      ['setup --dir', /--dir/],
    ];
    for (const [line, message, remedy] of cases) assertUsage(() => parse(line), message, remedy);
    assertUsage(() => parseHostOptions([]), /no command given/);
    for (const guest of ['..', '.hidden', '-x', 'a/b', '', 'x\n', 'x'.repeat(65)])
      assertUsage(() => parseHostOptions(['ping', `--guest=${guest}`]), /--guest/);
  });
});
