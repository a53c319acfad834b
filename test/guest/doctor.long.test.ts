import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bootGuest, restoreGuest, type Guest } from './harness/index.ts';
import { GuestAgent } from './support/agent.ts';
import { assertOnly, doctorInGuest, faultsIn } from './support/doctor.ts';

/** The agent's message when it ends at once, without the agent's name. */
async function agentSays(guest: Guest, exit: number, through: readonly string[] = []): Promise<string> {
  const { code, stderr } = await guest.run([...through, 'trace-agent']);
  assert.equal(code, exit, stderr);
  return stderr.trim().replace(/^trace-agent: /, '');
}

describe('trace-agent doctor', { timeout: 900_000 }, () => {
  test('finds nothing wrong while an agent runs, and names a stopped one', async () => {
    await using guest = await restoreGuest({ cpus: 2, running: GuestAgent.running() });
    const agent = GuestAgent.of(guest);
    assert.deepEqual(await doctorInGuest(guest), {});
    agent.process.kill('SIGSTOP');
    await guest.check(`until grep -q '^State:.T' /proc/${agent.process.pid}/status; do usleep 10000; done`);
    const stopped = await doctorInGuest(guest);
    assertOnly(stopped, 'agent', /trace-agent \(pid \d+\) is stopped by a signal/);
    await guest.check(/ — continue it: (kill -CONT \d+)$/.exec(stopped['agent'] ?? '')?.[1] ?? 'false');
    assert.deepEqual(await doctorInGuest(guest), {});
    await agent.end();
    assertOnly(
      await doctorInGuest(guest),
      'agent',
      /no trace-agent is running: .* — start it: trace-agent, or/,
    );
  });

  test('names ports that are missing, named otherwise, or held by others', async () => {
    await using guest = await restoreGuest({ cpus: 2 });
    const unnamed = await doctorInGuest(guest, ['--port-name', 'other-cpu%d']);
    assert.match(
      unnamed['ports'] ?? '',
      /no trace port .* the guest has .*trace-path-cpu0.* with --port-name/,
    );
    await guest.unplugPort('trace-path-cpu1');
    const missing = await doctorInGuest(guest);
    assert.match(
      missing['ports'] ?? '',
      /1 of 2 CPUs have no port, the first is trace-path-cpu1 — add one to the guest/,
    );
    await guest.plugPort('trace-path-cpu1');
    await guest.waitPorts(['trace-path-cpu1'], { links: true });

    const holders = [
      await guest.spawn('exec sleep 1000 > /dev/virtio-ports/trace-path-cpu1'),
      await guest.spawn('exec sleep 1000 > /dev/virtio-ports/agent-ctl-path'),
    ];
    await guest.check('until [ "$(pidof sleep | wc -w)" = 2 ]; do usleep 10000; done');
    const held = await doctorInGuest(guest);
    assert.deepEqual(Object.keys(held), ['agent', 'busy']);
    assert.match(held['busy'] ?? '', /port trace-path-cpu1 is held by sleep \(pid \d+\) — end it: kill \d+/);
    assert.match(
      held['agent'] ?? '',
      /port agent-ctl-path is held by sleep \(pid \d+\), which is not a trace-/,
    );
    for (const said of Object.values(held)) await guest.check(/kill \d+$/.exec(said)?.[0] ?? 'false');
    for (const holder of holders) await holder.wait();
    assertOnly(await doctorInGuest(guest), 'agent', /no trace-agent is running/);
  });

  test('names a user who is not root, and a tracefs that is not mounted', async () => {
    await using guest = await restoreGuest({ cpus: 1 });
    const nobody = ['su', '-s', '/bin/sh', 'nobody', '-c', 'exec "$0" "$@"', '--'];
    const faults = await doctorInGuest(guest, [], nobody);
    assert.match(faults['user'] ?? '', /^not root: .* — run as root$/);
    assert.match(faults['tracefs'] ?? '', /cannot read \S+: permission denied — run as root$/);
    assert.match(await agentSays(guest, 4, nobody), /cannot read \S+: permission denied — run as root$/);

    await guest.check('umount /sys/kernel/tracing && umount /sys/kernel/debug');
    const unmounted = await doctorInGuest(guest);
    assertOnly(unmounted, 'tracefs', /tracefs is not mounted at .* — mount it: mount -t tracefs nodev \//);
    assert.equal(await agentSays(guest, 3), unmounted['tracefs']);
    await guest.check(/mount -t .*$/.exec(unmounted['tracefs'] ?? '')?.[0] ?? 'false');
    assertOnly(await doctorInGuest(guest), 'agent', /no trace-agent is running/);
  });

  test('names the driver that is not loaded, or does not have its device', async () => {
    await using guest = await bootGuest({ cpus: 1, appendKernel: 'harness.undriven' });
    const drivers = [
      ['virtio_pci', /^this guest has a virtio-serial PCI device \(0000:.*\) but no driver for it — load it/],
      [
        'virtio_console',
        /^this guest has a virtio-serial device \(virtio\d+\) but no driver for it — load it/,
      ],
    ] as const;
    for (const [module, said] of drivers) {
      const before = `/run/undriven/${module}`;
      const faults = faultsIn(String(await guest.readFile(`${before}.doctor`)));
      assertOnly(faults, 'driver', said);
      assert.ok(faults['driver']?.endsWith(`: modprobe ${module}`), faults['driver']);
      const agent = String(await guest.readFile(`${before}.agent`));
      assert.equal(agent.trim(), `trace-agent: ${faults['driver']}`);
    }
    // all drivers are loaded by now
    assertOnly(await doctorInGuest(guest), 'agent', /no trace-agent is running/);

    const device = 'd=$(readlink -f /sys/class/virtio-ports/vport0p1/device); echo ${d##*/}';
    await guest.check(`echo $(${device}) > /sys/bus/virtio/drivers/virtio_console/unbind`);
    const unbound = await doctorInGuest(guest);
    assertOnly(unbound, 'driver', /, but the driver virtio_console is not bound to it — bind it/);
    assert.equal(await agentSays(guest, 3), unbound['driver']);
    await guest.check(/bind it: (.*);/.exec(unbound['driver'] ?? '')?.[1] ?? 'false');
    await guest.waitPorts(['agent-ctl-path', 'trace-path-cpu0'], { links: true });
    const agent = await GuestAgent.start(guest);
    assert.deepEqual(await doctorInGuest(guest), {});
    await agent.end();
  });

  test('names a kernel that is locked down, and finds nothing wrong with lockdown=integrity', async () => {
    const locked = /^the kernel is locked down \(confidentiality\), which blocks tracefs .* — boot without/;
    {
      await using guest = await bootGuest({ cpus: 1, appendKernel: 'lockdown=confidentiality' });
      const faults = await doctorInGuest(guest);
      assertOnly(faults, 'lockdown', locked);
      assert.equal(await agentSays(guest, 4), faults['lockdown']);
    }
    await using guest = await bootGuest({ cpus: 1, appendKernel: 'lockdown=integrity' });
    const agent = await GuestAgent.start(guest, '--start');
    assert.deepEqual(await doctorInGuest(guest), {});
    await agent.end();
  });
});
