import { execFile, execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseCpuList } from '../../src/base/cpu-list.ts';
import { ensureInstance, removeInstance } from '../../src/tracefs/instance.ts';
import { locateTracefs } from '../../src/tracefs/locate.ts';
import { repoRoot } from '../../test/guest/harness/paths.ts';
import { ChildTask } from './child-task.ts';
import type { Machine, ProgramName, Task } from './machine.ts';
import { executable } from './programs.ts';

const run = promisify(execFile);

/** This machine, with its own tracefs instance, and FIFOs in a directory as ports. */
export class NativeMachine implements Machine {
  readonly kind = 'native';
  readonly cpus: readonly number[];
  readonly instance = `vt-bench-${process.pid}`;
  readonly tracefsDir: string;
  readonly portsDir: string;
  readonly agentCommand = [process.execPath, join(repoRoot, 'dist/bin/trace-agent.js')];
  readonly #root = locateTracefs();
  readonly #tasks: ChildTask[] = [];
  /** Kept open like a port's chardev in QEMU: a FIFO without a writer hangs up. */
  readonly #controlFd: number;

  /** @param cpuCount maximum number of traced CPUs */
  constructor(cpuCount: number) {
    const online = parseCpuList(readFileSync('/sys/devices/system/cpu/online', 'utf8').trim(), 'online');
    this.cpus = online.slice(0, cpuCount);
    ensureInstance(this.#root, this.instance);
    this.tracefsDir = join(this.#root, 'instances', this.instance);
    this.portsDir = mkdtempSync(join(tmpdir(), 'virtio-trace-bench-'));
    const ports = this.cpus.map((cpu) => this.hostFifo(cpu));
    const control = join(this.portsDir, 'agent-ctl-path');
    execFileSync('mkfifo', [...ports, control]);
    this.#controlFd = openSync(control, constants.O_RDWR | constants.O_NONBLOCK);
  }

  async spawn(argv: readonly string[]): Promise<Task> {
    const task = new ChildTask(argv);
    this.#tasks.push(task);
    return Promise.resolve(task);
  }

  async shell(script: string): Promise<string> {
    const { stdout } = await run('sh', ['-c', script], { maxBuffer: 64 << 20 });
    return stdout;
  }

  async read(path: string): Promise<string> {
    return Promise.resolve(readFileSync(path, 'utf8'));
  }

  async write(path: string, text: string): Promise<void> {
    // O_TRUNC would clear `trace`; a control file takes its value from a single write
    const fd = openSync(path, constants.O_WRONLY);
    try {
      writeSync(fd, text);
    } finally {
      closeSync(fd);
    }
    return Promise.resolve();
  }

  async program(name: ProgramName): Promise<string> {
    return Promise.resolve(executable(name));
  }

  async traceCmd(): Promise<readonly string[] | undefined> {
    return run('sh', ['-c', 'command -v trace-cmd']).then(
      () => ['trace-cmd'],
      () => undefined,
    );
  }

  hostFifo(cpu: number): string {
    return join(this.portsDir, `trace-path-cpu${cpu}`);
  }

  async order(text: string): Promise<void> {
    writeSync(this.#controlFd, text);
    return Promise.resolve();
  }

  async close(): Promise<void> {
    const running = this.#tasks.filter((task) => task.running);
    for (const task of running) task.kill('SIGKILL');
    await Promise.all(running.map((task) => task.wait()));
    closeSync(this.#controlFd);
    rmSync(this.portsDir, { recursive: true });
    await removeInstance(this.#root, this.instance);
  }
}
