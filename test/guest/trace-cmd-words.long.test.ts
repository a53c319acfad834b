import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Scene } from './support/scene.ts';
import { shareGuest } from './support/share-guest.ts';

const tracing = '/sys/kernel/tracing';
/** Opens and reads files and runs programs, on both CPUs. */
const busy = 'for i in 1 2 3 4 5; do read -r line < /proc/version; /bin/true; sleep 0.02; done';

/** `sched_switch: …` of a line such as `  sh-12 [001] 1.2: sched_switch: …`. */
function eventOf(line: string): string {
  return /\]\s+[\d.]+:\s+(\S+?):/.exec(line)?.[1] ?? line;
}

function cpuOf(line: string): string {
  return /\[(\d+)\]/.exec(line)?.[1] ?? line;
}

function pidOf(line: string): string {
  return /-(\d+)\s+\[/.exec(line)?.[1] ?? line;
}

describe("trace-cmd's record options, in a guest", { timeout: 1_800_000 }, () => {
  let scene: Scene;
  shareGuest(
    () => Scene.restore(undefined, [], 2),
    (shared) => (scene = shared),
  );

  const words = (text: string): string[] => text.split(' ');
  const record = (line: string, meanwhile = busy) => scene.record(words(line), meanwhile);
  const here = (file: string): Promise<string> => scene.guest.check(`cat ${tracing}/${file}`);

  test('every event of the kernel, by each form of its name', async () => {
    const all = (await here('available_events')).trim().split('\n').length;
    assert.ok(all > 1000);
    for (const word of ['all', '*:*']) {
      const { eventsByName } = await record(`-e ${word} -b 8192`, '/bin/true');
      const systems = new Set(Object.keys(eventsByName).map((name) => name.split(':')[0]));
      assert.ok(systems.size > 5, [...systems].join());
    }
  });

  test('systems, events, patterns of both, and lists of them', async () => {
    const names = async (word: string): Promise<Set<string>> =>
      new Set(Object.keys((await record(`-e ${word}`)).eventsByName));
    assert.deepEqual(await names(':sched_switch'), new Set(['sched:sched_switch']));
    assert.deepEqual(
      await names('sched:sched_[s]witc?,raw_syscalls/sys_ente*'),
      new Set(['sched:sched_switch', 'raw_syscalls:sys_enter']),
    );
    const sched = await names('sched:');
    assert.ok(sched.has('sched:sched_switch') && sched.has('sched:sched_process_exec'));
    assert.ok([...sched].every((name) => name.startsWith('sched:')));
    const patterns = await names('*:sys_e*_openat');
    assert.ok(patterns.has('syscalls:sys_enter_openat') && patterns.has('syscalls:sys_exit_openat'));
    assert.match(await scene.refused(['-e', 'sched:x*']), /no event "sched:x\*"/);
    assert.match(await scene.refused(['-e', 'sched_swich']), /did you mean sched:sched_switch\?/);
  });

  test('-i skips events that do not exist', async () => {
    const { eventsByName } = await record('-i -e nothing -e sched_switch,no:thing');
    assert.deepEqual(Object.keys(eventsByName), ['sched:sched_switch']);
  });

  test('-f with surrounding blanks, for a system and for an event', async () => {
    for (const event of ['sched', 'sched_switch']) {
      const args = ['-e', event, '-f', ' \tprev_pid != 0 ', '-v', '-e', 'sched_[!s]*,sched_stat*'];
      await scene.record(event === 'sched' ? args : args.slice(0, 4), busy);
      assert.ok(scene.lines().some((line) => eventOf(line) === 'sched_switch'));
      for (const line of scene.lines())
        assert.doesNotMatch(line, /sched_switch:\s+(prev_comm=swapper|swapper\/\d:0 )/);
    }
  });

  test('-R sets a trigger, also alone after -v, and removes it', async () => {
    const { eventsByName } = await scene.record(
      [
        '-e',
        'sched_process_exec',
        '-R',
        'stacktrace:2 if pid > 0',
        '-v',
        '-e',
        'sched_switch',
        '-R',
        'stacktrace:1',
      ],
      busy,
    );
    assert.equal(eventsByName['ftrace:kernel_stack'], 3);
    assert.equal(eventsByName['sched:sched_switch'], undefined);
    assert.ok((eventsByName['sched:sched_process_exec'] ?? 0) >= 5);
    await record('-B top -e sched_process_exec -R traceoff', '/bin/true');
    assert.equal((await here('tracing_on')).trim(), '1');
    assert.doesNotMatch(await here('events/sched/sched_process_exec/trigger'), /^traceoff/m);
    const clock = `${tracing}/instances/trace-host/trace_clock`;
    const histogram = 'hist:keys=prev_pid:ts0=common_timestamp.usecs';
    await record(`-e sched_switch -R ${histogram} -C mono`, `grep -o '\\[.*\\]' ${clock} > /tmp/clock`);
    assert.equal(
      (await scene.guest.check('cat /tmp/clock')).trim(),
      '[mono]',
      'a histogram of times sets no clock',
    );
    assert.match(
      await scene.refused(['-e', 'sched_switch', '-R', 'nonsense']),
      /trigger "nonsense" of sched:sched_switch refused/,
    );
  });

  test('-T and -O set trace options, and restore them', async () => {
    const stacks = await record('-B top -T -e sched_process_exec');
    assert.equal(stacks.eventsByName['ftrace:kernel_stack'], stacks.eventsByName['sched:sched_process_exec']);
    assert.equal((await here('options/stacktrace')).trim(), '0');
    const without = await record('-O stacktrace -O nostacktrace -e sched_process_exec');
    assert.equal(without.eventsByName['ftrace:kernel_stack'], undefined);
    assert.match(await scene.refused(['-e', 'sched', '-O', 'stacktrac']), /did you mean stacktrace\?/);
  });

  test('-P traces one task only; with -c also its children', async () => {
    const loop = await scene.guest.spawn('while :; do /bin/true; sleep 0.02; done');
    const pid = String(loop.pid);
    const seen = async (line: string): Promise<Set<string>> => {
      await record(line, 'sleep 1');
      return new Set(scene.lines().map(pidOf));
    };
    assert.deepEqual(await seen(`-e raw_syscalls -P ${pid}`), new Set([pid]));
    const family = await seen(`-e raw_syscalls -P ${pid} -c`);
    assert.ok(family.size > 2 && family.has(pid), [...family].join());
    loop.kill('SIGKILL', 'group');
    await loop.wait();
    assert.match(await scene.refused(['-e', 'sched', '-P', '4194304']), /no task 4194304/);
  });

  test('-M traces only some CPUs', async () => {
    await record('-e sched -M 2');
    assert.deepEqual(new Set(scene.lines().map(cpuOf)), new Set(['001']));
    await record('-e sched -M -1');
    assert.deepEqual(new Set(scene.lines().map(cpuOf)), new Set(['000', '001']));
    assert.match(await scene.refused(['-e', 'sched', '-M', 'f00']), /has CPU 8;/);
  });

  test('-p with --func-stack, --max-graph-depth, --module and -d', async () => {
    const stacks = await record('-p function -l vfs_open --func-stack');
    assert.ok((stacks.eventsByName['ftrace:kernel_stack'] ?? 0) > 0);
    assert.equal((await here('options/func_stack_trace')).trim(), '0');
    await record('-p function_graph --max-graph-depth 1 -g vfs_open -b 8192');
    const graph = scene.lines();
    assert.ok(graph.some((line) => /funcgraph_entry:.*vfs_open/.test(line)));
    assert.ok(
      !graph.some((line) => /\|\s{4,}\w+\(\)/.test(line.replace(/^.*funcgraph_\w+:/, ''))),
      'one level',
    );
    assert.equal((await here('max_graph_depth')).trim(), '0');
    await record('-p function --module virtio_console', 'echo x > /dev/null');
    for (const line of scene.lines()) assert.match(line, /\bfunction:/);
    await scene.record(words('-B top -d -e sched_switch'), `cat ${tracing}/options/function-trace > /tmp/d`);
    assert.equal((await scene.guest.check('cat /tmp/d')).trim(), '0');
    assert.equal((await here('options/function-trace')).trim(), '1');
  });

  test('-k leaves the guest as it was traced, and the next recording starts from that state', async () => {
    await record('-k -B kept -e sched_switch -C boot');
    assert.equal((await here('instances/kept/tracing_on')).trim(), '0');
    assert.equal((await here('instances/kept/events/sched/sched_switch/enable')).trim(), '1');
    assert.match(await here('instances/kept/trace_clock'), /\[boot\]/);
    const { earlierEvents } = await record('-B kept -e sched_switch');
    assert.equal(earlierEvents, 0, 'the rings were emptied at the first stop');
    await scene.guest.check(`rmdir ${tracing}/instances/kept`);
  });

  test('-q prints nothing, and --duration accepts a fraction', async () => {
    const said = await scene.run(['-q', '-s', '1000', '-e', 'sched', '--duration', '0.5']);
    assert.deepEqual([said.code, said.stdout, said.stderr], [0, '', '']);
    assert.ok(scene.lines().length > 0);
    const loud = await scene.run(['-s', '1000', '-e', 'sched', '--duration', '0.5s']);
    assert.match(loud.stderr, /-s has no effect: a worker sleeps until/);
    assert.match(loud.stdout, /events/);
  });
});

describe("trace-cmd's record options, in a guest with kernel 6.12", { timeout: 1_800_000 }, () => {
  let scene: Scene;
  shareGuest(
    () => Scene.restore('linux-image-6.12-amd64'),
    (shared) => (scene = shared),
  );

  test("--subbuf-size sets the size of the rings' sub-buffers", async () => {
    const recorded = await scene.record(['--subbuf-size', '16', '-e', 'sched'], busy);
    assert.ok(recorded.events > 0);
    assert.equal(
      (await scene.guest.check(`cat ${tracing}/buffer_subbuf_size_kb`)).trim(),
      '4',
      'the top level is left alone',
    );
    await scene.record(['-B', 'top', '--subbuf-size', '8', '-e', 'sched'], busy);
    assert.equal((await scene.guest.check(`cat ${tracing}/buffer_subbuf_size_kb`)).trim(), '4');
  });
});
