import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { kernelModule } from '../harness/kernel-module.ts';
import { type Guest, restoreGuest } from '../harness/index.ts';
import { program } from '../harness/programs.ts';
import { debianKernel, guestKernel } from '../harness/kernel.ts';
import { GuestAgent } from './agent.ts';
import { parsedReports, type Recorded, type RunningRecord, startRecord } from './recording.ts';

const tracing = '/sys/kernel/tracing';
/** What makes many kinds of events in the guest (`test/guest/programs/many-events.c`). */
const manyEvents = '/tmp/many-events';

/** What to record of a guest, and what the guest does meanwhile. */
export interface Kind {
  readonly args: readonly string[];
  readonly meanwhile: string;
  /** Before and after the recording: what it takes. */
  readonly before?: string;
  readonly after?: string;
}

const words = (text: string): string[] => text.trim().split(/\s+/);

/** Recordings that together contain what a reader of traces may meet. */
export const kinds = {
  /** Every event, of a guest that does something of each kind. */
  events: {
    args: words('-B top -C local -e *:* -b 65536'),
    meanwhile: `${manyEvents} 2>/dev/null; echo 'a marker' > ${tracing}/trace_marker
      printf '\\1\\2\\3\\4raw data' > ${tracing}/trace_marker_raw`,
  },
  /** With a stack trace for each function. */
  function: {
    args: words('-B top -C local -p function -l vfs_* -l *lock* -l do_* -O func_stack_trace'),
    meanwhile: `${manyEvents} tasks files`,
  },
  /**
   * With interrupts between a function's entry and exit, and functions that other events interrupt. Not of idle tasks:
   * they all have pid 0, so trace-cmd takes the exit in one CPU's for that of another's, and then sorts by memory that
   * it has freed.
   */
  graph: {
    args: words(`-B top -C local -p function_graph -g vfs_* -g do_exit
      -b 32768 -e irq -e sched:sched_switch -e timer:hrtimer_*`),
    meanwhile: `${manyEvents} tasks timers files`,
  },
  /** Of the kernel and of programs. */
  stacks: {
    args: words(`-B top -C local -O stacktrace -O userstacktrace -O sym-userobj -b 16384
      -e sched:sched_switch -e syscalls:sys_enter_openat -e irq:softirq_raise`),
    meanwhile: `${manyEvents} tasks timers signals; ls -lR /sys/class/net > /dev/null`,
  },
  /** Everything that is written by hand: trace_printk with each conversion, trace_marker, trace_marker_raw. */
  printk: {
    args: words('-B top -C local -e module -b 4096'),
    meanwhile: `insmod /tmp/many_printks.ko; rmmod many_printks; cd ${tracing}
      echo 'one line' > trace_marker; printf 'no line break' > trace_marker; printf 'two\\nlines\\n' > trace_marker
      printf 'odd \\033[31m \\001 \\303\\251 \\377 100%% %%s "quoted" \\\\\\n' > trace_marker
      head -c 3000 /dev/zero | tr '\\0' x > trace_marker; printf '\\n' > trace_marker
      printf '\\1\\0\\0\\0' > trace_marker_raw; printf '\\2\\0\\0\\0raw data of 20 byt' > trace_marker_raw
      printf '\\3\\0\\0\\0\\377\\376\\0\\1odd' > trace_marker_raw`,
  },
  /** Events that a user makes: probes with arguments of every type, and events of two others with a text in them. */
  probes: {
    before: `cd ${tracing}
      echo 'p:pr/open do_sys_openat2 name=+0(%si):ustring how=+0(%dx):x64 num=%di:s32 arr=+0(%dx):x8[4] bits=%dx:b3@4/32' \\
        >> kprobe_events
      echo 'p:pr/named do_sys_openat2 sym=%ip:symbol few=%dx:u8 more=%si:u64 small=%di:s16' >> kprobe_events
      echo 'r:pr/open_ret do_sys_openat2 ret=$retval:s64' >> kprobe_events
      echo 'p:pr/read vfs_read comm=$comm:string stack=$stack0:x16 pos=%cx:x64' >> kprobe_events
      echo 'e:pr/exec sched.sched_process_exec who=$pid:u32 file=$filename:string' >> dynamic_events
      echo 'p:up/busy /bin/busybox:0x1000 a=%ax' >> uprobe_events
      echo 'wake pid_t pid; u64 delta; char who[]; char fixed[16]; s32 number' >> synthetic_events
      echo 'hist:keys=pid:ts0=common_timestamp.usecs,who=comm,n=prio' >> events/sched/sched_waking/trigger
      echo 'hist:keys=next_pid:d=common_timestamp.usecs-$ts0,w=$who,n=$n:onmatch(sched.sched_waking).trace(wake,next_pid,$d,$w,next_comm,$n)' \\
        >> events/sched/sched_switch/trigger`,
    args: words('-B top -C local -e pr -e up -e synthetic -e sched:sched_process_exec'),
    meanwhile: `${manyEvents} tasks`,
    after: `cd ${tracing}
      for e in sched_switch sched_waking; do
        while read -r line; do case $line in hist*) echo "!$line" >> events/sched/$e/trigger;; esac; done \\
          < events/sched/$e/trigger
      done
      echo > synthetic_events; echo '-:pr/exec' >> dynamic_events; echo > kprobe_events; echo > uprobe_events`,
  },
} satisfies Record<string, Kind>;

/** Lines of `many_printks.c` that end trace-cmd's printing of trace_printk, one recording each. */
export const oddPrintks = 20;
export const oddPrintk = (which: number): Kind => ({
  args: kinds.printk.args,
  meanwhile: `insmod /tmp/many_printks.ko odd=${which}; rmmod many_printks`,
});

/** A guest of which traces of each kind are recorded. */
export class ReportGuest {
  readonly guest: Guest;

  private constructor(guest: Guest) {
    this.guest = guest;
  }

  /** @param meta package of the guest's kernel, such as `linux-image-6.12-amd64`; undefined for the usual one */
  static async restore(meta?: string): Promise<ReportGuest> {
    const kernel = meta === undefined ? guestKernel() : debianKernel(meta);
    const guest = await restoreGuest({ cpus: 2, kernel, running: GuestAgent.running() });
    await guest.writeFile(manyEvents, readFileSync(program('many-events')));
    await guest.check(`chmod +x ${manyEvents}`);
    await guest.writeFile('/tmp/many_printks.ko', readFileSync(kernelModule('many_printks', kernel)));
    return new ReportGuest(guest);
  }

  /** Begins as `record` does, and kills the recording. @returns the directory that it leaves */
  async cutOff(out: string, kind: Kind): Promise<string> {
    const run = startRecord(this.#ports, out, dirname(out), kind.args);
    await run.said('recording;');
    await this.guest.check(kind.meanwhile, { timeoutMs: 300_000 });
    for (const cpu of [0, 1])
      while (statSync(join(`${out}.recording`, `cpu${cpu}.raw`)).size === 0) await sleep(50);
    run.child.kill('SIGKILL');
    await run.ended;
    await GuestAgent.of(this.guest).order0();
    return `${out}.recording`;
  }

  /** Records into `out` while the guest does something. @returns what `record` says of it */
  async record(out: string, kind: Kind): Promise<Recorded> {
    if (kind.before !== undefined) await this.guest.check(kind.before);
    const run = startRecord(this.#ports, out, dirname(out), ['--json', ...kind.args]);
    try {
      await run.said('recording;');
      await this.guest.check(kind.meanwhile, { timeoutMs: 300_000 });
    } finally {
      run.child.kill('SIGINT');
    }
    const { code, stdout, stderr } = await run.ended;
    assert.equal(code, 0, stderr);
    if (kind.after !== undefined) await this.guest.check(kind.after);
    const [recorded] = parsedReports(stdout);
    assert.ok(recorded);
    return recorded;
  }

  get running(): boolean {
    return this.guest.running;
  }

  /** Begins a recording with these options. */
  start(out: string, args: readonly string[]): RunningRecord {
    return startRecord(this.#ports, out, dirname(out), args);
  }

  get #ports(): string {
    return dirname(this.guest.port('agent-ctl-path').path);
  }

  async close(): Promise<void> {
    await this.guest.close();
  }
}
