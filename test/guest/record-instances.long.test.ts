import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { Scene } from './support/scene.ts';
import { shareGuest } from './support/share-guest.ts';

const tracing = '/sys/kernel/tracing';
/** Opens a file, reads with read(2), which `cat` does not do here, and runs a program. */
const busy = 'read -r line < /proc/version; /bin/true';

describe('an existing instance', { timeout: 900_000 }, () => {
  let scene: Scene;
  shareGuest(
    () => Scene.restore(undefined),
    (shared) => (scene = shared),
  );

  test('three recordings count only their own events, and report those from before the start', async () => {
    const { guest } = scene;
    await guest.check(`cd ${tracing}; mkdir instances/mine; cd instances/mine; echo 8 > buffer_size_kb
      echo 1 > events/sched/enable; until grep -q '^overrun: [1-9]' per_cpu/cpu0/stats; do ${busy}; done
      echo 0 > events/sched/enable; cat trace_pipe > /dev/null & sleep 1; kill $!
      echo 1408 > buffer_size_kb; echo before > trace_marker`);
    for (const turn of [1, 2, 3]) {
      const recorded = await scene.record(['-B', 'mine', '-e', 'sched:sched_process_exec'], busy);
      assert.ok(recorded.events >= 2);
      assert.equal(recorded.earlierEvents, turn === 1 ? 1 : 0);
      assert.equal(recorded.eventsByName['ftrace:print'], turn === 1 ? 1 : undefined);
      assert.deepEqual(
        recorded.cpus.map(({ overrun }) => overrun),
        [0],
      );
      assert.equal(scene.stat('overrun'), 0);
      assert.equal(scene.stat('read events'), recorded.events);
    }
    await guest.check(`rmdir ${tracing}/instances/mine`);
  });

  test('events that are created during a recording are described, also one whose neighbour was removed', async () => {
    const { guest } = scene;
    // removed before it was ever enabled: the kernel empties rings that a removed event was written to
    await guest.check(
      `cd ${tracing}; echo 'p:early do_sys_openat2' >> kprobe_events; echo 'p:idle vfs_write' >> kprobe_events`,
    );
    const recorded = await scene.record(
      ['-e', 'kprobes:early'],
      `cd ${tracing}; ${busy}
       echo 'p:late vfs_read count=%dx' >> kprobe_events
       echo 'e:probed/exec sched.sched_process_exec who=$pid:u32' >> dynamic_events
       cd instances/trace-host; echo 1 > events/kprobes/late/enable; echo 1 > events/probed/exec/enable; ${busy}
       echo 0 > events/probed/exec/enable; echo 0 > events/kprobes/late/enable
       echo -:idle >> ${tracing}/kprobe_events`,
    );
    for (const event of ['kprobes:early', 'kprobes:late', 'probed:exec'])
      assert.ok((recorded.eventsByName[event] ?? 0) > 0, JSON.stringify(recorded.eventsByName));
    const lines = scene.lines();
    assert.ok(
      lines.some((line) => /late: +\([0-9a-fx+_]+\) count=/.test(line)),
      lines.join('\n'),
    );
    assert.ok(
      lines.some((line) => /exec: .*who=\d+/.test(line)),
      lines.join('\n'),
    );
    await guest.check(`cd ${tracing}; echo '-:probed/exec' >> dynamic_events; echo > kprobe_events`);
  });
});

for (const kernel of ['linux-image-6.12-amd64', 'linux-image-6.18-amd64'])
  describe(`sub-buffers of two sizes, ${kernel}`, {
    timeout: 900_000,
    skip: spawnSync('apt-cache', ['show', kernel]).status !== 0,
  }, () => {
    let scene: Scene;
    shareGuest(
      () => Scene.restore(kernel),
      (shared) => (scene = shared),
    );
    const setTop = (kb: number) => scene.guest.check(`echo ${kb} > ${tracing}/buffer_subbuf_size_kb`);

    test('8 KB at the top level, 4 KB in the instance that the recording creates', async () => {
      await setTop(8);
      const recorded = await scene.record(['-e', 'sched'], busy);
      assert.ok(recorded.events > 10);
      await setTop(4);
    });

    test('8 KB at the top level, which the agent had opened with 4 KB', async () => {
      await setTop(8);
      const recorded = await scene.record(['-B', 'top', '-e', 'sched'], busy);
      assert.ok(recorded.events > 10);
      await setTop(4);
    });

    test('64 KB in an instance that was created before', async () => {
      const big = `${tracing}/instances/big`;
      await scene.guest.check(`mkdir ${big}; echo 64 > ${big}/buffer_subbuf_size_kb`);
      for (const more of [[], ['-m', '512'], ['--v6']]) {
        const recorded = await scene.record(['-B', 'big', '-e', 'sched', ...more], busy);
        assert.ok(recorded.events > 10);
      }
      await scene.guest.check(`rmdir ${big}`);
    });
  });
