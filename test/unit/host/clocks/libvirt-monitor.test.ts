import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import {
  eventIn,
  LibvirtMonitor,
  libvirtDomainOf,
  runs,
} from '../../../../src/host/clocks/libvirt-monitor.ts';
import { type Pause, PauseWatch } from '../../../../src/host/clocks/pause-watch.ts';
import { clockNs } from '../../../../src/native/clock.ts';
import { until } from '../../../local/harness/until.ts';
import { scratchDir } from '../guest-dir/scratch.ts';

const withinMs = 30_000;

/** A program `virsh` that says what the test wants, first in PATH. */
class FakeVirsh {
  readonly #dir: string;

  constructor(test: TestContext) {
    this.#dir = scratchDir(test);
    this.state = 'running';
    writeFileSync(join(this.#dir, 'events'), '');
    const script = [
      '#!/bin/sh',
      'cd "${0%/*}"',
      '[ "$1" != domstate ] || exec cat state',
      'printf "%s\\n" "$@" > words',
      'echo $$ > pid.new; mv pid.new pid',
      'exec tail -f events',
    ];
    writeFileSync(join(this.#dir, 'virsh'), script.join('\n'), { mode: 0o755 });
    const path = process.env['PATH'];
    process.env['PATH'] = `${this.#dir}:${path}`;
    test.after(() => {
      process.env['PATH'] = path;
    });
  }

  set state(state: string) {
    writeFileSync(join(this.#dir, 'state'), `${state}\n\n`);
  }

  /** The words of the command line that asks for events. */
  get words(): string[] {
    return readFileSync(join(this.#dir, 'words'), 'utf8').trimEnd().split('\n');
  }

  /** Process that prints events; undefined if none has begun. */
  get pid(): number | undefined {
    const file = join(this.#dir, 'pid');
    return existsSync(file) ? Number(readFileSync(file, 'utf8')) : undefined;
  }

  get isListening(): boolean {
    return this.pid !== undefined && existsSync(`/proc/${this.pid}`);
  }

  /** Prints an event that happens now. */
  say(event: 'STOP' | 'RESUME'): void {
    const us = clockNs('realtime') / 1000n;
    const at = `${us / 1_000_000n}.${String(us % 1_000_000n).padStart(6, '0')}`;
    appendFileSync(join(this.#dir, 'events'), `event ${event} at ${at} for domain 'web': <null>\n`);
  }
}

function watched(test: TestContext): { readonly watch: PauseWatch; readonly pauses: () => readonly Pause[] } {
  let pauses: readonly Pause[] = [];
  const watch = new PauseWatch(
    (event) => new LibvirtMonitor('web', event),
    (all) => {
      pauses = all;
    },
  );
  test.after(() => watch.close());
  return { watch, pauses: () => pauses };
}

/** Waits until events arrive. */
async function connected(watch: PauseWatch): Promise<void> {
  await watch.look();
  await until('connected', () => watch.monitor.isConnected, withinMs);
  await watch.look();
}

const lateNs = 1_000_000_000n;

describe('a guest of libvirt that is paused', () => {
  it('stood still between the events, and ran well before and after them', async (test) => {
    const virsh = new FakeVirsh(test);
    const { watch, pauses } = watched(test);
    await connected(watch);
    const words = 'qemu-monitor-event --loop --domain web --regex --event ^(STOP|RESUME)$';
    assert.equal(virsh.words.join(' '), words);
    const before = clockNs('boottime');
    virsh.say('STOP');
    const stopped = clockNs('boottime');
    await until('paused', () => watch.isPaused, withinMs);
    // libvirt still says that it runs
    await watch.look();
    assert.ok(watch.isPaused);
    virsh.state = 'paused';
    await watch.look();
    const resumes = clockNs('boottime');
    virsh.state = 'running';
    virsh.say('RESUME');
    const resumed = clockNs('boottime');
    await until('running', () => !watch.isPaused, withinMs);
    assert.equal(pauses().length, 1);
    const { from, pausedFrom, pausedTo, to } = pauses()[0]!;
    const rough = 1_000_000n;
    assert.ok(from.boottime <= before - lateNs, 'an answer may be late');
    assert.ok(pausedFrom && pausedFrom.boottime >= before - rough && pausedFrom.boottime <= stopped + rough);
    assert.ok(pausedTo && pausedTo.boottime >= resumes - rough && pausedTo.boottime <= resumed + rough);
    assert.ok(to && to.boottime >= resumes + lateNs);
    watch.close();
    await until('virsh is gone', () => !virsh.isListening, withinMs);
  });

  it('whose events were missed stood still at an unknown time, for as long as libvirt says', async (test) => {
    const virsh = new FakeVirsh(test);
    const { watch, pauses } = watched(test);
    await connected(watch);
    const ran = clockNs('boottime');
    virsh.state = 'paused';
    await until('paused', () => watch.isPaused, withinMs);
    virsh.state = 'running';
    await until('running', () => !watch.isPaused, withinMs);
    const { from, pausedFrom, pausedTo, to } = pauses()[0]!;
    assert.deepEqual([pausedFrom, pausedTo], [undefined, undefined]);
    assert.ok(from.boottime < ran - lateNs && to && to.boottime > clockNs('boottime'));
  });

  it('is followed by nobody after the end of virsh, nor after that of this process', async (test) => {
    const virsh = new FakeVirsh(test);
    const { watch } = watched(test);
    await connected(watch);
    process.kill(virsh.pid!);
    await until('lost', () => !watch.monitor.isConnected, withinMs);
    watch.close();

    const module = new URL('../../../../src/host/clocks/libvirt-monitor.js', import.meta.url).href;
    const code = `import(${JSON.stringify(module)}).then(({ LibvirtMonitor }) => new LibvirtMonitor('web', () => {}).look()); setInterval(() => {}, 1000);`;
    const first = virsh.pid;
    const child = spawn(process.execPath, ['-e', code], { stdio: 'ignore' });
    await until('virsh has begun', () => virsh.pid !== first && virsh.isListening, withinMs);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await until('virsh is gone', () => !virsh.isListening, withinMs);
  });
});

describe('what virsh prints', () => {
  it('is understood if it is an event that matters', () => {
    assert.deepEqual(eventIn("event STOP at 1796072882.093655 for domain 'vt': <null>"), {
      name: 'STOP',
      realtimeUs: 1_796_072_882_093_655n,
    });
    for (const line of [
      '',
      'events received: 1',
      "event SHUTDOWN at 1796072882.993655 for domain 'vt': <null>",
      "event STOP at -1.993655 for domain 'vt': <null>",
    ])
      assert.equal(eventIn(line), undefined, line);
  });

  it('is a state in which the guest runs, or not, or is unknown', () => {
    assert.deepEqual(
      ['running\n\n', 'in shutdown', 'paused', 'pmsuspended', 'crashed', 'shut off', ''].map(runs),
      [true, true, false, false, false, undefined, undefined],
    );
  });

  it('is asked for of a QEMU that libvirt has started', () => {
    const name = ['-name', 'guest=web,debug-threads=on'];
    const monitor = ['-mon', 'chardev=charmonitor,id=monitor,mode=control'];
    assert.equal(libvirtDomainOf(['qemu', ...name, ...monitor]), 'web');
    assert.equal(libvirtDomainOf(['qemu', ...name]), undefined);
    assert.equal(libvirtDomainOf(['qemu', ...monitor]), undefined);
  });
});
