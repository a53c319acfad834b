// @alone this machine's tracefs, and a browser

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TestDaemon } from '../local/harness/daemon.ts';
import { holdMachine } from '../local/harness/machine-lock.ts';
import { agentSkip } from '../local/harness/skip.ts';
import { browserSkip, eventually, launch, troubleOf } from '../local/page/browser.ts';
import { type Guest, restoreGuest, tracePorts } from './harness/index.ts';
import { GuestAgent } from './support/agent.ts';
import { traceHost } from './support/trace-host.ts';

/** As long as a name of a task may be. */
const hostileName = '<img src=x on>';
/** For 10 s of recording, and its files, on a busy machine. */
const recordedMs = 240_000;

describe('the page of trace-host serve, with a guest', {
  skip: browserSkip || agentSkip(),
  timeout: 900_000,
}, () => {
  holdMachine();
  const work = mkdtempSync(join(tmpdir(), 'virtio-trace-page-guest-'));
  let guest: Guest;
  let dir: string;
  let daemon: TestDaemon;

  before(async () => {
    mkdirSync(join(work, 'data'));
    guest = await restoreGuest({
      cpus: 2,
      ports: tracePorts(2),
      monitor: true,
      running: GuestAgent.running(),
    });
    dir = dirname(guest.port('agent-ctl-path').path);
    // a task that always runs, and so has to wait, and whose name is markup
    await guest.check(`printf '#!/bin/sh\\nwhile :; do :; done\\n' > '/tmp/${hostileName}'`);
    await guest.check(`chmod +x '/tmp/${hostileName}'`);
    await guest.spawn([`/tmp/${hostileName}`]);
    daemon = await TestDaemon.start(work, '--dir', dir);
  });
  after(async () => {
    await daemon.end();
    await guest.close();
    rmSync(work, { recursive: true, force: true });
  });

  test('records it with the host by one button, and shows it in all views', async () => {
    const name = basename(dir);
    const { stdout, stderr } = await traceHost('open', '--socket', daemon.socket);
    const address = /http:\S+/.exec(stdout)?.[0];
    assert.ok(address, stderr);
    const { origin } = new URL(address);
    const browser = await launch();
    try {
      const page = await browser.newPage({ viewport: { width: 1360, height: 820 } });
      const trouble = troubleOf(page, origin);
      await page.goto(address);
      const card = page.locator('article', { hasText: name }).first();
      await card.waitFor();
      await card.locator('text=Record 10 s').click();
      await page.waitForSelector('text=Recording the host and');
      await page.click('nav >> text=Recordings');
      await page.waitForSelector('.job');
      await page.locator('.recordings a.button').first().waitFor({ timeout: recordedMs });
      assert.match(
        await page.locator('.recordings tbody').innerText(),
        new RegExp(`host, ${name.slice(0, 12)}`),
      );

      await page.locator('.recordings a.button', { hasText: 'Timeline' }).click();
      await page.waitForSelector('.wait-button');
      await page.click('.in-view summary');
      const table = page.locator('.in-view tbody');
      await eventually('the vCPU of the guest', async () => /vCPU 1/.test(await table.innerText()));
      await eventually('the task', async () =>
        (await page.locator('.waits').innerText()).includes(hostileName),
      );

      await page.click('nav >> text=Why');
      await page.waitForSelector('.why table');
      await page.locator('.why tbody a').first().click();
      await page.waitForSelector('.selection .causes');
      assert.equal(await page.locator('img').count(), 0);
      assert.deepEqual(trouble, []);
    } finally {
      await browser.close();
    }
  });
});
