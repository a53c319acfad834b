import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { tmpdir } from 'node:os';
import { describe, test } from 'node:test';
import { restoreGuest, type Guest } from './harness/index.ts';
import { GuestAgent } from './support/agent.ts';
import { traceHost } from './support/trace-host.ts';

/** Links that are wrong, by name, with what is said of them. */
type Faults = Record<string, string>;

function faultsIn(json: string): Faults {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a wrong shape shows in the assertions
  const { links } = JSON.parse(json) as {
    links: { link: string; state: string; what: string; remedy: string }[];
  };
  return Object.fromEntries(
    links
      .filter(({ state }) => state === 'wrong')
      .map(({ link, what, remedy }) => {
        assert.notEqual(remedy, '', `${link} has no remedy`);
        return [link, what];
      }),
  );
}

describe('doctor', { timeout: 600_000 }, () => {
  async function onHost(guest: Guest): Promise<Faults> {
    const dir = dirname(guest.port('agent-ctl-path').path);
    const { code, stdout, stderr } = await traceHost('doctor', '--dir', dir, '--timeout', '5s', '--json');
    assert.equal(code, Object.keys(faultsIn(stdout)).length === 0 ? 0 : 1, stderr);
    return faultsIn(stdout);
  }

  async function inGuest(guest: Guest, ...args: string[]): Promise<Faults> {
    const { stdout, stderr } = await guest.run(['trace-agent', 'doctor', '--json', ...args]);
    assert.equal(stderr, '');
    return faultsIn(stdout);
  }

  /** That nothing but this link is wrong, and what is said. */
  function assertOnly(faults: Faults, link: string, what: RegExp): void {
    assert.deepEqual(Object.keys(faults), [link], JSON.stringify(faults));
    assert.match(faults[link] ?? '', what);
  }

  test('names each planted fault, and nothing when all is well', async () => {
    await using guest = await restoreGuest({ cpus: 2, running: GuestAgent.running() });
    const agent = GuestAgent.of(guest);
    assert.deepEqual([await onHost(guest), await inGuest(guest)], [{}, {}]);

    await guest.check(['kill', '-STOP', String(agent.process.pid)]);
    assertOnly(await onHost(guest), 'agent', /does not answer/);
    assertOnly(await inGuest(guest), 'agent', /is stopped by a signal/);
    await guest.check(['kill', '-CONT', String(agent.process.pid)]);

    const dir = dirname(guest.port('agent-ctl-path').path);
    const fifo = join(dir, 'trace-path-cpu1.out');
    rmSync(fifo);
    assert.notDeepEqual(await onHost(guest), {});
  });

  test('names a guest without an agent, and ports that are missing', async () => {
    await using guest = await restoreGuest({ cpus: 2 });
    assertOnly(await onHost(guest), 'agent', /does not answer/);
    assertOnly(await inGuest(guest), 'agent', /no trace-agent runs/);
    const unnamed = await inGuest(guest, '--port-name', 'other-cpu%d');
    assert.match(unnamed['ports'] ?? '', /no trace port .* in \/dev\/virtio-ports/);
    await guest.unplugPort('trace-path-cpu1');
    assert.match((await inGuest(guest))['ports'] ?? '', /1 of 2 CPUs have no port/);
  });

  test('names a directory that is none', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-doctor-'));
    rmSync(dir, { recursive: true });
    const { code, stdout } = await traceHost('doctor', '--dir', dir, '--json');
    assert.equal(code, 1);
    assertOnly(faultsIn(stdout), 'directory', /there is no directory/);
  });
});
