import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { debianKernel } from '../harness/kernel.ts';
import { type Guest, restoreGuest } from '../harness/index.ts';
import { GuestAgent } from './agent.ts';
import type { Ended } from './trace-host.ts';
import { parsedReports, type Recorded, reportLines, startRecord } from './recording.ts';

/** A guest, its agent, and recordings of it one after the other. */
export class Scene {
  readonly guest: Guest;
  readonly #work = mkdtempSync(join(tmpdir(), 'virtio-trace-instances-'));

  private constructor(guest: Guest) {
    this.guest = guest;
  }

  /** @param kernel package of the guest's kernel, such as `linux-image-6.12-amd64`; undefined for the usual one */
  static async restore(kernel: string | undefined, agent: readonly string[] = [], cpus = 1): Promise<Scene> {
    const options = kernel === undefined ? {} : { kernel: debianKernel(kernel) };
    return new Scene(await restoreGuest({ cpus, ...options, running: GuestAgent.running(...agent) }));
  }

  get running(): boolean {
    return this.guest.running;
  }

  get ports(): string {
    return dirname(this.guest.port('agent-ctl-path').path);
  }

  /** The output file of each recording. */
  get out(): string {
    return join(this.#work, 'trace.dat');
  }

  /** @param meanwhile run in the guest during the recording, once its start is reported */
  async record(args: readonly string[], meanwhile: string): Promise<Recorded> {
    const run = startRecord(this.ports, this.out, this.#work, ['--json', ...args]);
    try {
      await run.said('recording;');
      await this.guest.check(meanwhile, { timeoutMs: 120_000 });
    } finally {
      run.child.kill('SIGINT');
    }
    const { code, stdout, stderr } = await run.ended;
    assert.equal(code, 0, stderr);
    assert.ok(!existsSync(`${this.out}.recording`));
    const [recorded] = parsedReports(stdout);
    assert.ok(recorded);
    // it prints a function that calls no other as one line, but that is two events
    if (!args.includes('function_graph'))
      assert.equal(reportLines(this.out).length, recorded.events, 'trace-cmd reads every event');
    const read = recorded.cpus.reduce((sum, cpu) => sum + (cpu.readEvents ?? 0), 0);
    assert.equal(recorded.events, read, 'the kernel has counted as many');
    return recorded;
  }

  /** Records until it ends by itself. */
  run(args: readonly string[]): Promise<Ended> {
    return startRecord(this.ports, this.out, this.#work, args).ended;
  }

  /** Records with arguments that are refused. @returns the message */
  async refused(args: readonly string[]): Promise<string> {
    const { code, stderr } = await this.run(args);
    assert.notEqual(code, 0);
    return stderr;
  }

  /** The last recording's lines from trace-cmd report. */
  lines(...args: string[]): string[] {
    return reportLines(this.out, ...args);
  }

  /** A count of the last recording from trace-cmd's ring statistics, summed over CPUs. */
  stat(count: string): number {
    const { stdout } = spawnSync('trace-cmd', ['report', '--stat', '-i', this.out], { encoding: 'utf8' });
    const found = [...stdout.matchAll(new RegExp(`^${count}: (\\d+)$`, 'gm'))];
    assert.ok(found.length > 0, stdout.slice(0, 1000));
    return found.reduce((sum, [, number]) => sum + Number(number), 0);
  }

  async close(): Promise<void> {
    await this.guest.close();
    rmSync(this.#work, { recursive: true, force: true });
  }
}
