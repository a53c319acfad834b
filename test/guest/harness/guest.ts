import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { census } from './census.ts';
import { Collector } from './collector.ts';
import type { GuestProcess } from './guest-process.ts';
import { GuestShell } from './guest-shell.ts';
import type { Command, RunningCommand } from './guest-shell.ts';
import { connectToListener } from './listener.ts';
import { PortEnd } from './port-end.ts';
import { portDevice } from './ports.ts';
import type { PlacedPort } from './ports.ts';
import { keepsGuests, qemuFiles } from './qemu.ts';
import { Qmp } from './qmp.ts';
import { leaveReport } from './report.ts';

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The result of `Guest.save`. */
export interface SavedState {
  /** The memory, as large as the guest's and sparse. */
  readonly memory: string;
  /** The state of the devices. */
  readonly devices: string;
  /** The commands running in the guest. */
  readonly running: readonly RunningCommand[];
  /** The state of the guest before those commands were started, as returned by `census`. */
  readonly census: readonly string[];
}

/** A running guest and the host ends of its ports. */
export class Guest {
  /** The guest's own directory on the host, removed by `close`. */
  readonly dir: string;
  readonly ports: readonly PlacedPort[];
  readonly #qemu: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #ends = new Map<string, PortEnd>();
  readonly #collectors = new Map<string, Collector>();
  /** Also called when a test ends the process without closing its guest. */
  readonly #leave = (exitCode: number) => this.#end(exitCode);
  readonly #fromMs = Date.now();
  #isReported = false;
  #qemuText = '';
  #console = '';
  #restored: readonly GuestProcess[] = [];
  #census: readonly string[] | undefined;
  #shell: GuestShell | undefined;
  #qmp: Qmp | undefined;

  constructor(dir: string, qemu: ChildProcess, ports: readonly PlacedPort[]) {
    this.dir = dir;
    this.ports = ports;
    this.#qemu = qemu;
    process.once('exit', this.#leave);
    qemu.stderr?.on('data', (bytes: Buffer) => {
      this.#qemuText += bytes.toString();
    });
    this.#exited = new Promise((resolve) => {
      qemu.once('exit', () => resolve());
      qemu.once('error', (error) => {
        this.#qemuText += String(error);
        resolve();
      });
    });
  }

  /** For `bootMachine` only. */
  async connect(timeoutMs: number): Promise<void> {
    const shell = await this.#open();
    const abort = new AbortController();
    const late = sleep(timeoutMs, undefined, { signal: abort.signal });
    await Promise.race([
      shell.ready,
      late.then(() => Promise.reject(new Error(`not up after ${timeoutMs} ms`))),
    ]);
    abort.abort();
    late.catch(() => {});
  }

  /** For `resumeMachine` only. */
  async resume({ devices, running, census }: SavedState): Promise<void> {
    const shell = await this.#open();
    this.#restored = running.map((command) => shell.adopt(command));
    this.#census = census;
    await this.#leaveMemoryOut();
    await this.qmp('migrate-incoming', { uri: `exec:cat '${devices}'` });
    while (JSON.stringify(await this.qmp('query-status')).includes('inmigrate')) await sleep(10);
    await this.qmp('cont');
    const seconds = String(Math.floor(Date.now() / 1000));
    await this.check(['after-restore', seconds], { stdin: randomBytes(64) });
  }

  /** Stops the guest for good and writes the state of its devices to a file. @returns the commands running in it */
  async save(devices: string): Promise<RunningCommand[]> {
    await this.qmp('stop');
    await this.#leaveMemoryOut();
    await this.qmp('migrate', { uri: `exec:cat > '${devices}'` });
    for (;;) {
      const { status } = await this.#migration();
      if (status === 'completed') break;
      if (status === 'failed') throw new Error(`the guest cannot be saved\n${this.#qemuText}`);
      await sleep(10);
    }
    // what the guest sent before it stopped is already in the socket; this lets it be read
    await sleep(50);
    return this.#shell?.running() ?? [];
  }

  /** Excludes memory that is in a separate file from the state: it stays there. */
  async #leaveMemoryOut(): Promise<void> {
    await this.qmp('migrate-set-capabilities', {
      capabilities: [{ capability: 'x-ignore-shared', state: true }],
    });
  }

  async #migration(): Promise<{ readonly status?: string }> {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- QEMU's documented answer
    return (await this.qmp('query-migrate')) as { status?: string };
  }

  async #open(): Promise<GuestShell> {
    const hasEnded = (): boolean => !this.running;
    this.#shell = new GuestShell(await connectToListener(join(this.dir, qemuFiles.shell), hasEnded));
    this.#qmp = await Qmp.on(await connectToListener(join(this.dir, qemuFiles.qmp), hasEnded));
    return this.#shell;
  }

  /** Waits until the guest has these ports; its driver finds them and the harness's own in any order. */
  async waitPorts(names: readonly string[], { links }: { links: boolean }): Promise<void> {
    const isLinked = links ? ' && [ -e /dev/virtio-ports/$name ]' : '';
    const isThere = `grep -qx $name /sys/class/virtio-ports/*/name 2>/dev/null${isLinked}`;
    await this.check(`for name in ${names.join(' ')}; do until ${isThere}; do sleep 0.05; done; done`);
  }

  /** The commands that ran in the saved state from which the guest was restored, if any. */
  get restored(): readonly GuestProcess[] {
    return this.#restored;
  }

  /** The state of the guest before anything was changed: that of the saved state, or else the current one. */
  async censusBefore(): Promise<readonly string[]> {
    this.#census ??= await census(this);
    return this.#census;
  }

  get running(): boolean {
    return this.#qemu.exitCode === null && this.#qemu.signalCode === null && this.#qemu.pid !== undefined;
  }

  /** QEMU's process id on the host. */
  get qemuPid(): number {
    return this.#qemu.pid ?? -1;
  }

  /**
   * Runs a command to its end. At the timeout it and all its children are killed, and this rejects with its output
   * so far. Another exit code than 0 is not an error.
   */
  async run(
    command: Command,
    options: { timeoutMs?: number; stdin?: string | Uint8Array } = {},
  ): Promise<RunResult> {
    const process = await this.spawn(command);
    if (options.stdin !== undefined) process.write(options.stdin);
    process.endInput();
    try {
      const { code } = await process.wait(options.timeoutMs);
      return { code, stdout: process.stdout, stderr: process.stderr };
    } catch (error) {
      process.kill('SIGKILL', 'group');
      throw error;
    }
  }

  /** The stdout of a command, which must exit with 0. */
  async check(
    command: Command,
    options: { timeoutMs?: number; stdin?: string | Uint8Array } = {},
  ): Promise<string> {
    const { code, stdout, stderr } = await this.run(command, options);
    if (code !== 0)
      throw new Error(`in the guest: ${String(command)}: exit code ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  /**
   * Starts a command and does not wait for its end. A list of words is run without a shell: the pid is the
   * program's own, and `kill` affects only that process. Its stdin stays open.
   */
  spawn(command: Command): Promise<GuestProcess> {
    if (this.#shell === undefined) throw new Error('the guest is not up');
    return this.#shell.spawn(command);
  }

  async readFile(path: string): Promise<Buffer> {
    const process = await this.spawn(['cat', '--', path]);
    const { code } = await process.wait();
    if (code !== 0) throw new Error(process.stderr.trim());
    return process.stdoutBytes();
  }

  async writeFile(path: string, data: string | Uint8Array): Promise<void> {
    await this.check(['/bin/sh', '-c', 'cat > "$0"', path], { stdin: data });
  }

  /** The socket of `BootOptions.monitor`. */
  get monitor(): string {
    return join(this.dir, qemuFiles.monitor);
  }

  /** Runs a QMP command: `device_add`, `stop`, `cont`, `query-status`, ... */
  qmp(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    if (this.#qmp === undefined) throw new Error('the guest is not up');
    return this.#qmp.execute(command, args);
  }

  port(name: string): PlacedPort {
    const port = this.ports.find((candidate) => candidate.name === name);
    if (port === undefined) throw new Error(`the guest has no port ${name}`);
    return port;
  }

  /** The host end of a port for short messages; the same object each time. */
  end(name: string): PortEnd {
    const end = this.#ends.get(name) ?? new PortEnd(this.port(name));
    this.#ends.set(name, end);
    return end;
  }

  /** The host end of the control port. */
  get control(): PortEnd {
    return this.end('agent-ctl-path');
  }

  /** Starts to collect a trace port, given by its name or CPU; the same collector each time. */
  async collect(which: number | string): Promise<Collector> {
    const name = typeof which === 'number' ? `trace-path-cpu${which}` : which;
    const fifo = `${this.port(name).path}.out`;
    const collector = this.#collectors.get(name) ?? new Collector(fifo, join(this.dir, `${name}.raw`));
    this.#collectors.set(name, collector);
    return collector.open();
  }

  /** Unplugs a port from the running guest; its FIFOs stay. */
  async unplugPort(name: string): Promise<void> {
    const { device } = this.port(name);
    const qmp = this.#qmp;
    if (qmp === undefined) throw new Error('the guest is not up');
    const before = qmp.events.length;
    await qmp.execute('device_del', { id: device });
    await qmp.event((event) => qmp.events.indexOf(event) >= before && event.data?.['device'] === device);
  }

  /** Plugs a port in again. */
  async plugPort(name: string): Promise<void> {
    await this.qmp('device_add', portDevice(this.port(name)));
  }

  /** The kernel's log so far. */
  consoleText(): string {
    const path = join(this.dir, qemuFiles.console);
    if (existsSync(path)) this.#console = readFileSync(path, 'latin1');
    return this.#console;
  }

  /** QEMU's own output. */
  qemuText(): string {
    return this.#qemuText;
  }

  /** Waits until QEMU has ended, after `poweroff -f` in the guest or `quit`. */
  async waitPowerOff(timeoutMs = 120_000): Promise<void> {
    const abort = new AbortController();
    const late = sleep(timeoutMs, 'late', { signal: abort.signal }).catch(() => 'late');
    const first = await Promise.race([this.#exited, late]);
    abort.abort();
    if (first === 'late') throw new Error(`the guest still runs after ${timeoutMs} ms`);
  }

  /** Powers the guest off from inside and waits for it. */
  async powerOff(timeoutMs = 120_000): Promise<void> {
    await this.spawn('poweroff -f').catch(() => {});
    await this.waitPowerOff(timeoutMs);
  }

  /** Ends QEMU at once, like a power cut. */
  async kill(): Promise<void> {
    if (this.running) this.#qemu.kill('SIGKILL');
    await this.#exited;
  }

  /** Ends everything and removes the guest's directory; may be called again. */
  async close(): Promise<void> {
    this.#report();
    for (const end of this.#ends.values()) end.close();
    for (const collector of this.#collectors.values()) await collector.close();
    this.#shell?.close();
    this.#qmp?.close();
    if (keepsGuests) {
      // whether its test has failed is known when the process ends, and QEMU must not delay that
      this.#qemu.stderr?.destroy();
      this.#qemu.unref();
      return;
    }
    await this.kill();
    process.off('exit', this.#leave);
    rmSync(this.dir, { recursive: true, force: true });
  }

  #end(code: number): void {
    this.#report();
    if (keepsGuests && code !== 0 && this.running) {
      process.stderr.write(`guest kept (QEMU is process ${this.qemuPid}): npm run guest -- ${this.dir}\n`);
      return;
    }
    if (this.running) this.#qemu.kill('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }

  #report(): void {
    if (this.#isReported) return;
    this.#isReported = true;
    leaveReport({
      fromMs: this.#fromMs,
      toMs: Date.now(),
      console: this.consoleText(),
      qemu: this.#qemuText,
      processes: this.#shell?.said() ?? [],
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
