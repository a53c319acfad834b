// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCode } from '../../src/base/failure.ts';
import { hostSettings } from '../local/harness/host-settings.ts';
import { holdMachine } from '../local/harness/machine-lock.ts';
import { agentSkip } from '../local/harness/skip.ts';
import { childrenOf, isAlive } from '../local/harness/processes.ts';
import { until } from '../local/harness/until.ts';
import { Random } from '../simulator/random.ts';
import { census } from './harness/census.ts';
import { restoreGuest } from './harness/index.ts';
import type { Guest } from './harness/index.ts';
import { GuestAgent } from './support/agent.ts';
import { assertAsBefore } from './support/as-before.ts';
import { startRecord } from './support/recording.ts';
import { traceHost } from './support/trace-host.ts';

const kills = 10;
const duration = '3s';
/** The same moments again: KILL_SEED=…; they are parts of the time that the fastest whole recording took. */
const seed = Number(process.env['KILL_SEED'] ?? Date.now() % 1e9);

/** A process and all that it has started: a recorder, its agent of this host, and the workers of that. */
function treeOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(treeOf)];
}

/** Processes that were started in a directory, as far as this process may look: not the workers. */
function processesIn(dir: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/cwd`) === dir;
    } catch {
      return false;
    }
  });
}

function pagesIn(recording: string): boolean {
  if (!existsSync(recording)) return false;
  const raws = readdirSync(recording).filter((name) => /^cpu\d+\.raw/.test(name));
  return raws.some((name) => statSync(join(recording, name)).size > 0);
}

async function eventsIn(file: string): Promise<number> {
  const { code, stdout, stderr } = await traceHost('info', file, '--json');
  assert.equal(code, 0, stderr);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a wrong shape shows in the assertions
  const { buffers } = JSON.parse(stdout) as { buffers: { events: number }[] };
  return buffers.reduce((sum, { events }) => sum + events, 0);
}

describe('kill -9 of trace-host record, which records host and guest', {
  skip: agentSkip(),
  timeout: 1_800_000,
}, () => {
  holdMachine();
  const work = mkdtempSync(join(tmpdir(), 'virtio-trace-kills-'));
  let guest: Guest;
  let name: string;
  let dir: string;

  before(async () => {
    guest = await restoreGuest({ cpus: 2, monitor: true, running: GuestAgent.running() });
    const portsDir = dirname(guest.port('agent-ctl-path').path);
    [name, dir] = [basename(portsDir), dirname(portsDir)];
  });
  after(async () => {
    await guest.close();
    rmSync(work, { recursive: true, force: true });
  });

  const start = (cwd: string) => {
    const args = ['-e', 'sched', '-A', name, '-e', 'sched', '--duration', duration];
    return startRecord(dir, join(cwd, 's.dat'), cwd, args);
  };

  /** A directory of its own, so that processes of one recording are not taken for those of another. */
  function newDir(of: string): string {
    const path = join(work, of);
    mkdirSync(path);
    return path;
  }

  test(`at ${kills} moments: the next commands leave nothing, and what was recorded can be converted`, async (context) => {
    const settings = hostSettings();
    const whole = async (cwd: string): Promise<number> => {
      const fromMs = performance.now();
      const { code, stderr } = await start(cwd).ended;
      assert.equal(code, 0, stderr);
      return performance.now() - fromMs;
    };
    let wholeMs = await whole(newDir('whole'));
    // the agent keeps the limit of saved task names until it ends
    const guestBefore = await census(guest);
    const random = new Random(seed);
    const seen = { host: 0, guest: 0, processes: 0 };
    for (let kill = 0; kill < kills; kill++) {
      const afterMs = Math.round((wholeMs * (kill + random.next())) / kills);
      const moment = `kill ${kill}, after ${afterMs} of ${Math.round(wholeMs)} ms, KILL_SEED=${seed}`;
      const cwd = newDir(`kill-${kill}`);
      const run = start(cwd);
      await sleep(afterMs);
      const tree = treeOf(run.child.pid ?? 0);
      seen.processes = Math.max(seen.processes, tree.length);
      run.child.kill('SIGKILL');
      const { stderr } = await run.ended;
      const said =
        stderr
          .trim()
          .split(/[\r\n]/)
          .at(-1) ?? '';

      const stopped = await traceHost('stop', '--dir', dir, '--guest', name, '--timeout', '120s');
      // pages that nobody reads any more stay in the guest
      assert.ok(stopped.code === 0 || stopped.code === exitCode.lost, `${moment}: ${stopped.stderr}`);
      wholeMs = Math.min(wholeMs, await whole(newDir(`next-${kill}`)));
      const left = (): unknown[] => [...tree.filter(isAlive), ...processesIn(cwd)];
      await until(
        () => `${moment}: processes ${left().join()} end`,
        () => left().length === 0,
        30_000,
      );
      assert.deepEqual(hostSettings(), settings, moment);
      await assertAsBefore(guest, { before: guestBefore }).catch((cause: unknown) =>
        assert.fail(`${moment}: ${String(cause)}`),
      );

      const found: string[] = [];
      for (const [side, file] of [
        ['host', 's.dat'],
        ['guest', `s-${name}.dat`],
      ] as const) {
        const recording = join(cwd, `${file}.recording`);
        if (!existsSync(recording)) continue;
        const out = join(cwd, `converted-${file}`);
        const converted = await traceHost('convert', recording, '-o', out);
        assert.equal(converted.code, 0, `${moment}: ${side}: ${converted.stderr}`);
        const events = await eventsIn(out);
        if (!pagesIn(recording)) continue;
        assert.ok(events > 0, `${moment}: ${side}: no events`);
        found.push(`${side} ${events}`);
        seen[side]++;
      }
      context.diagnostic(`${moment}: ${found.join(', ') || 'no pages'}; it had said: ${said}`);
    }
    assert.ok(seen.host >= 2 && seen.guest >= 2, `pages of ${seen.host} hosts and ${seen.guest} guests`);
    assert.ok(seen.processes > 3, `${seen.processes} processes`);
  });
});
