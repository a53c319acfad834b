import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Guest } from '../harness/index.ts';

const unit = 'trace-agent.service';
/** An emulated guest on a busy host is slow to start Node three times. */
const startMs = 300_000;

/** `trace-agent.service` in a guest with systemd. */
export class Service {
  readonly #guest: Guest;

  constructor(guest: Guest) {
    this.#guest = guest;
  }

  /** A property, as printed by `systemctl show`. */
  async show(property: string): Promise<string> {
    return (await this.#guest.check(`systemctl show -P ${property} ${unit}`)).trim();
  }

  /** The supervisor. */
  async pid(): Promise<number> {
    return Number(await this.show('MainPID'));
  }

  /** Pids of the workers, by CPU. */
  async workers(): Promise<Map<number, number>> {
    const list = await this.#guest.check(
      `for p in $(cat /sys/fs/cgroup/system.slice/${unit}/cgroup.procs); do echo $p $(tr '\\0' ' ' </proc/$p/cmdline); done`,
    );
    return new Map(
      [...list.matchAll(/^(\d+) .*\(CPU (\d+)\)/gm)].map(([, pid, cpu]) => [Number(cpu), Number(pid)]),
    );
  }

  /** Waits for a state such as `active` or `inactive`. */
  async until(state: string, withinMs = startMs): Promise<void> {
    await this.#wait(async () => (await this.show('ActiveState')) === state, `is not ${state}`, withinMs);
  }

  /** Waits until it is active again in another process than `pid`. */
  async untilRenewed(pid: number): Promise<void> {
    const renewed = async (): Promise<boolean> =>
      (await this.show('ActiveState')) === 'active' && (await this.pid()) !== pid;
    await this.#wait(renewed, `is not back after ${pid}`, startMs);
  }

  /** Waits until the journal matches: messages appear in it a moment later. */
  async untilSaid(pattern: RegExp): Promise<void> {
    const isSaid = async (): Promise<boolean> => pattern.test(await this.journal());
    await this.#wait(isSaid, `has not said ${String(pattern)}`, startMs);
  }

  journal(): Promise<string> {
    return this.#guest.check(`journalctl -u ${unit} --no-pager -o cat`);
  }

  /** Overrides settings of the unit file, until `forget`. */
  async override(lines: string): Promise<void> {
    await this.#guest.check(`mkdir -p /run/systemd/system/${unit}.d`);
    await this.#guest.writeFile(`/run/systemd/system/${unit}.d/test.conf`, `[Service]\n${lines}\n`);
    await this.#guest.check('systemctl daemon-reload');
  }

  async forget(): Promise<void> {
    await this.#guest.check(`rm -r /run/systemd/system/${unit}.d && systemctl daemon-reload`);
  }

  async #wait(reached: () => Promise<boolean>, complaint: string, withinMs: number): Promise<void> {
    const deadlineMs = performance.now() + withinMs;
    while (!(await reached())) {
      if (performance.now() > deadlineMs) assert.fail(`the service ${complaint}\n${await this.journal()}`);
      await sleep(200);
    }
  }
}
