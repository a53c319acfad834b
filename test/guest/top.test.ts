// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { basename, dirname } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { TopFrame } from '../../src/cli/host/top/top-text.ts';
import { isObject } from '../../src/base/json-type.ts';
import { holdMachine } from '../local/harness/machine-lock.ts';
import { agentSkip, toolSkip } from '../local/harness/skip.ts';
import { type Guest, type GuestProcess, restoreGuest, tracePorts } from './harness/index.ts';
import { GuestAgent } from './support/agent.ts';
import { traceHost } from './support/trace-host.ts';

describe('trace-host top -A', {
  skip: agentSkip() || toolSkip('chrt') || toolSkip('taskset'),
  timeout: 600_000,
}, () => {
  holdMachine();
  let guest: Guest;
  let victim: GuestProcess;
  let name: string;
  let dir: string;

  before(async () => {
    guest = await restoreGuest({
      cpus: 2,
      ports: tracePorts(2),
      monitor: true,
      running: GuestAgent.running(),
    });
    const portsDir = dirname(guest.port('agent-ctl-path').path);
    [name, dir] = [basename(portsDir), dirname(portsDir)];
    const answer = await guest.qmp('query-cpus-fast');
    const vcpu: unknown = Array.isArray(answer) ? answer[1] : undefined;
    assert.ok(isObject(vcpu));
    assert.equal(spawnSync('taskset', ['-pc', '1', String(vcpu['thread-id'])]).status, 0);
    await guest.check(`taskset -p 1 ${GuestAgent.of(guest).process.pid}`);
    await guest.check(`printf '#!/bin/sh\\nwhile :; do :; done\\n' > /tmp/victim; chmod +x /tmp/victim`);
    victim = await guest.spawn(['taskset', '2', '/tmp/victim']);
  });
  after(async () => {
    victim?.kill('SIGKILL');
    await guest.close();
  });

  test('shows the busy task of a guest, and the task of the host that takes its CPU', async () => {
    const work = 'while :; do i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done; sleep 0.2; done';
    const hog = spawn('chrt', ['-f', '10', 'taskset', '-c', '1', 'sh', '-c', work], { stdio: 'ignore' });
    try {
      const { code, stdout, stderr } = await traceHost(
        'top',
        '--dir',
        dir,
        '--timeout',
        '120s',
        '-A',
        name,
        '--once',
        '--json',
        '--delay',
        '3s',
      );
      assert.equal(code, 0, stderr);
      const { machines }: TopFrame = JSON.parse(stdout);
      const [web, host] = machines;
      assert.ok(web !== undefined && host?.host === true, stdout);
      assert.equal(web.name, name);
      assert.equal(web.tasks[0]?.comm, 'victim');
      assert.ok(
        web.steal?.some(({ byPid, guestCpu }) => byPid === hog.pid && guestCpu === 1),
        stdout,
      );
      const share = web.cpus[1]?.stealShare ?? 0;
      assert.ok(share > 0.05, stdout);
    } finally {
      hog.kill('SIGKILL');
    }
  });
});
