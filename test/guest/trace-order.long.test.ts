import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { ErrorAnswer } from '../../src/protocol/control.ts';
import { restoreGuest } from './harness/index.ts';
import type { Guest } from './harness/index.ts';
import { GuestAgent, load } from './support/agent.ts';
import { shareGuest } from './support/share-guest.ts';

const top = '/sys/kernel/tracing';
const mine = `${top}/instances/mine`;

describe('a start order with a trace of functions', { timeout: 900_000 }, () => {
  let guest: Guest;
  let agent: GuestAgent;
  shareGuest(
    async () => {
      const restored = await restoreGuest({ cpus: 1, running: GuestAgent.running() });
      await restored.check(['mkdir', mine]);
      return restored;
    },
    (shared) => {
      guest = shared;
      agent = GuestAgent.of(shared);
    },
  );

  const lines = async (command: string): Promise<string[]> =>
    (await guest.check(command)).split('\n').filter((line) => line !== '');
  /** The contents of the lists, in any order, because the kernel changes it. */
  const lists = async (): Promise<Record<string, string[]>> => {
    const files = [`${mine}/set_ftrace_filter`, `${mine}/set_ftrace_notrace`, `${top}/set_graph_function`];
    const read = async (file: string) => [file, (await lines(`cat ${file}`)).toSorted()] as const;
    return Object.fromEntries(await Promise.all(files.map(read)));
  };
  const refusal = async (trace: object): Promise<ErrorAnswer['error']> => {
    const { control } = guest;
    await control.listen();
    await control.send(`${JSON.stringify({ order: 'start', trace })}\n`);
    const answer: ErrorAnswer = JSON.parse(await control.received.line(60_000));
    assert.equal(answer.ok, false);
    return answer.error;
  };

  test('traces only those, and restores lists with modules, modules that are not loaded, and triggers', async () => {
    await guest.check(`
      cd ${mine} && echo vfs_fsync > set_ftrace_filter
      echo 'virtio_pci_*:mod:virtio_pci' >> set_ftrace_filter
      echo '*:mod:nosuchmodule' >> set_ftrace_filter
      echo 'vfs_fallocate:traceoff:5' >> set_ftrace_filter
      echo 'vfs_rename' > set_ftrace_notrace`);
    const old = await lists();
    const shown = ['*:mod:nosuchmodule', 'vfs_fsync'];
    // if it is built in, it counts as a module that is not loaded
    if ((await lines('cut -d" " -f1 /proc/modules')).includes('virtio_pci'))
      shown.push('virtio_pci_probe [virtio_pci]');
    for (const line of shown) assert.ok(old[`${mine}/set_ftrace_filter`]?.includes(line), line);
    const collector = await guest.collect(0);
    await agent.ask('start', {
      trace: {
        instance: 'mine',
        tracer: 'function',
        functionFilter: ['vfs_*', 'do_sys_openat2'],
        functionNotrace: ['vfs_write', 'vfs_fallocate'],
      },
    });
    const traced = (await lines(`cat ${top}/enabled_functions`)).map((line) => line.split(' ')[0] ?? '');
    assert.ok(traced.includes('vfs_read') && traced.includes('do_sys_openat2'), traced.join());
    assert.deepEqual(
      traced.filter((name) => !/^(?:vfs_|do_sys_openat2$)/.test(name) || name === 'vfs_write'),
      [],
    );
    await load(guest, [0], { rate: 500, count: 100 });
    await agent.ask('stop');
    await collector.waitBytes(1);
    assert.deepEqual(await lists(), old);
    assert.deepEqual(await lines(`cat ${mine}/current_tracer`), ['nop']);
    // 6.1 shows no trigger as long as the list has a module that is not loaded
    await guest.check(`echo > ${mine}/set_ftrace_filter`);
    assert.match(await guest.check(`cat ${mine}/set_ftrace_filter`), /^vfs_fallocate:traceoff:count=5$/m);
  });

  test('is refused as a whole for an unknown function', async () => {
    const old = await lists();
    const good = { instance: 'mine', tracer: 'function', functionFilter: ['vfs_read'] };
    for (const bad of [
      { functionFilter: ['vfs_read', 'no_such_function', 'vfs_write'] },
      { functionNotrace: ['no_such_function'] },
      { instance: 'made', functionFilter: ['no_such_*'] },
    ]) {
      const { code, message } = await refusal({ ...good, ...bad });
      assert.equal(code, 'unknown-function', message);
      assert.match(message, /function(?:Filter|Notrace) "no_such_\S+" refused: this kernel has no such/);
      assert.deepEqual(await lists(), old);
      assert.deepEqual(await lines(`ls ${top}/instances`), ['mine']);
      assert.deepEqual(await lines(`cat ${mine}/current_tracer`), ['nop']);
    }
  });

  test('follows functions at the top level, the only place where older kernels support it', async () => {
    await guest.check(`echo vfs_rename > ${top}/set_graph_function`);
    const old = await lists();
    const trace = { tracer: 'function_graph', graphFunctions: ['vfs_read', 'vfs_open'] };
    if (!(await lines(`cat ${mine}/available_tracers`)).join().includes('function_graph')) {
      const { code, message } = await refusal({ ...trace, instance: 'mine' });
      assert.equal(code, 'unknown-tracer');
      assert.match(message, /function_graph at the top level only, not in an instance such as mine/);
    }
    assert.equal((await refusal({ graphFunctions: ['no_such_function'] })).code, 'unknown-function');
    assert.deepEqual(await lists(), old);
    const collector = await guest.collect(0);
    const from = await collector.waitQuiet(300);
    const { instance } = await agent.ask('start', { trace });
    assert.equal(instance, null);
    assert.deepEqual((await lists())[`${top}/set_graph_function`], ['vfs_open', 'vfs_read']);
    await load(guest, [0], { rate: 500, count: 100 });
    await agent.ask('stop');
    await collector.waitBytes(from + 1);
    assert.deepEqual(await lists(), old);
  });

  test('keeps task names available for later requests, and restores their limit when the agent ends', async () => {
    // fewer than run in this test, as in kernels before 6.9
    await agent.end();
    await guest.check(`echo 1 > ${top}/saved_cmdlines_size`);
    const [before] = await lines(`cat ${top}/saved_cmdlines_size`);
    agent = await GuestAgent.start(guest);
    await agent.ask('start', { trace: { instance: 'made', events: ['sched'] } });
    await load(guest, [0], { rate: 500, count: 100 });
    await guest.check('for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true; done');
    await agent.ask('stop');
    const { bytes } = await agent.ask('metadata');
    const archive = gunzipSync(await guest.control.received.bytes(bytes, 60_000)).toString('latin1');
    const [, pid] = /\n(\d+) markers\n/.exec(archive) ?? [];
    assert.ok(pid, 'saved_cmdlines has it');
    assert.match(archive, new RegExp(`\\n${pid} ${pid}\\n`), 'saved_tgids too');
    assert.match(archive, new RegExp(`\\n${agent.process.pid} \\S.* ${agent.process.pid} \\d+\\n`), 'ps');
    const [raised] = await lines(`cat ${top}/saved_cmdlines_size`);
    assert.ok(Number(raised) > Number(before), `${raised} > ${before}`);
    await agent.end();
    assert.deepEqual(await lines(`cat ${top}/saved_cmdlines_size`), [before]);
  });
});
