// @alone this machine's tracefs, and a browser

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { holdMachine } from './harness/machine-lock.ts';
import { agentSkip } from './harness/skip.ts';
import { browserSkip, eventually, launch, troubleOf } from './page/browser.ts';
import { madeFrame, madeGuests } from './page/made-frame.ts';
import { recordHost, simulatedRecording } from './page/made-recordings.ts';
import { PageServer, type ServedRecording } from './page/page-server.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const views = ['now', 'recordings', 'timeline/simulated', 'why/simulated'] as const;
/** What shows that a view has its data. */
const signOf = {
  now: '.cpu-chart',
  recordings: '.recordings td',
  'timeline/simulated': '.wait-button',
  'why/simulated': '.why table',
} as const;

describe('the page in a browser', { skip: browserSkip || agentSkip(), timeout: 600_000 }, () => {
  holdMachine();
  const work = mkdtempSync(join(tmpdir(), 'virtio-trace-page-'));
  let browser: Browser;
  let recordings: ServedRecording[];
  let server: PageServer;
  before(async () => {
    recordings = [await simulatedRecording(work), await recordHost(work)];
    browser = await launch();
  });
  after(async () => {
    await browser.close();
    rmSync(work, { recursive: true, force: true });
  });
  beforeEach(async (test) => {
    server = await PageServer.start(recordings, { guests: madeGuests, jobs: { jobs: [] }, frame: madeFrame });
    if ('after' in test) test.after(() => server.close());
  });

  /** Opens a view; `trouble` is what went wrong since. */
  async function open(
    view: string,
    options: BrowserContextOptions = {},
  ): Promise<{ page: Page; trouble: string[]; close: () => Promise<void> }> {
    const context = await browser.newContext({ viewport: { width: 1360, height: 820 }, ...options });
    const page = await context.newPage();
    const trouble = troubleOf(page, server.origin);
    await page.goto(`${server.origin}/#/${view}`);
    return { page, trouble, close: () => context.close() };
  }

  const shownLength = (page: Page): Promise<string> =>
    page.locator('.in-view summary').innerText({ timeout: 30_000 });

  it('shows a recording of this host in all views, and names of tasks as text', async () => {
    const { page, trouble, close } = await open('now');
    await page.waitForSelector('.cpu-chart canvas');
    await page.click('nav >> text=Recordings');
    const row = page
      .locator('.recordings tr', { hasText: '2026-11-3' })
      .or(page.locator('.recordings tr', { hasText: '12 events' }));
    await row.first().locator('text=Timeline').click();
    await page.waitForSelector('canvas');
    await page.click('.in-view summary');
    // the tasks sleep most of the time: looked for where one of them runs
    await eventually('a busy CPU in the table', async () =>
      /\d %/.test(await page.locator('.in-view tbody').innerText()),
    );
    await page.click('nav >> text=Why');
    await page.waitForSelector('text=the host was not traced', { state: 'attached' });
    await page.goto(`${server.origin}/#/recordings/host`);
    await page.waitForSelector('dialog pre');
    await page.goto(`${server.origin}/#/now`);
    await page.waitForSelector('text=<img src=x oner');
    await page.waitForSelector('text=\\u{1b}[31mred\\u{7}');
    await page.goto(`${server.origin}/#/recordings`);
    await page.waitForSelector('text=<img src=x onerror');
    assert.equal(await page.locator('img').count(), 0);
    assert.deepEqual(trouble, []);
    await close();
  });

  it('draws tasks with hostile names, and says which one was clicked', async () => {
    const { page, trouble, close } = await open('timeline/host');
    await page.waitForSelector('canvas');
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a wrong shape shows in the assertions
    const index = JSON.parse(await (await fetch(`${server.origin}/api/recordings/host/timeline`)).text()) as {
      strings: string[];
    };
    assert.ok(
      index.strings.some((name) => name.startsWith('<img src=x oner')),
      index.strings.join('\n'),
    );
    assert.ok(index.strings.some((name) => name.startsWith('\u001b[31mred')));
    await page.focus('canvas');
    await page.keyboard.press('ArrowDown');
    for (let step = 0; step < 40; step++) await page.keyboard.press('+');
    await page.keyboard.press('.');
    await page.waitForSelector('.selection h3');
    assert.deepEqual(trouble, []);
    await close();
  });

  it('leads from a wait of Why to its place in the timeline, with its causes', async () => {
    const { page, trouble, close } = await open('why/simulated');
    await page.waitForSelector('.why table');
    assert.match(await page.locator('.verdict').innerText(), /guest paused/);
    const link = page.locator('.why tbody a').first();
    const task = await link.innerText();
    await link.click();
    await page.waitForSelector('.selection .causes');
    assert.equal(await page.locator('.selection h3').innerText(), task);
    assert.match(await page.locator('.selection').innerText(), /guest paused/);
    assert.notEqual(await shownLength(page), '');
    assert.match(await page.locator('.waits [aria-pressed=true]').innerText(), new RegExp(task));
    assert.deepEqual(trouble, []);
    await close();
  });

  it('shows the slice and the wait under a click', async () => {
    const { page, trouble, close } = await open('timeline/simulated');
    await page.waitForSelector('.wait-button');
    // host rows 24 + 4 * 34, then web: its heading, CPU 0, and its vCPU; the pause is at 0.2 of 0.3 s
    const box = await page.locator('canvas').boundingBox();
    assert.ok(box);
    const x = 168 + (box.width - 168) * (0.215 / 0.3);
    await page.mouse.move(box.x + x, box.y + 24 + 24 + 4 * 34 + 24 + 34 + 10);
    await eventually('the hover text', async () =>
      /web vCPU 0: guest paused/.test(await page.locator('.timeline-hover').innerText()),
    );
    await page.mouse.click(box.x + x, box.y + 24 + 24 + 4 * 34 + 24 + 34 + 10);
    await page.waitForSelector('.selection >> text=guest paused');
    await page.mouse.click(box.x + x, box.y + 24 + 24 + 4 * 34 + 24 + 16);
    await page.waitForSelector('.selection .causes');
    assert.deepEqual(trouble, []);
    await close();
  });

  it('can be used by keyboard alone', async () => {
    const { page, trouble, close } = await open('recordings');
    await page.waitForSelector('.recordings td');
    const focused = (): Promise<string> =>
      page.evaluate<string>(
        'document.activeElement.getAttribute("aria-label") ?? document.activeElement.innerText',
      );
    for (let step = 0; step < 40 && !(await focused()).startsWith('Timeline of host, web'); step++)
      await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.wait-button');
    for (let step = 0; step < 40 && !(await focused()).startsWith('Timeline. Arrow'); step++)
      await page.keyboard.press('Tab');
    const whole = await eventually('the table', async () => {
      const text = await shownLength(page);
      return text.includes('300 ms') ? text : undefined;
    });
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.selection >> text=host CPU 1');
    for (const key of ['w', 'w', '+', 'd', 'ArrowRight', 's', 'a', 'ArrowLeft', '-'])
      await page.keyboard.press(key);
    await eventually('another view', async () => (await shownLength(page)) !== whole);
    await page.keyboard.press('Home');
    await eventually('everything', async () => (await shownLength(page)) === whole);
    await page.keyboard.press('Escape');
    await page.waitForSelector('.selection >> text=Click a slice');
    assert.deepEqual(trouble, []);
    await close();
  });

  for (const colorScheme of ['light', 'dark'] as const)
    it(`has no serious finding of axe, ${colorScheme}`, async () => {
      for (const view of views) {
        const { page, close } = await open(view, { colorScheme, bypassCSP: true });
        await page.waitForSelector(signOf[view]);
        if (view.startsWith('timeline')) {
          await page.click('.wait-button >> nth=0');
          await page.click('.in-view summary');
          await page.click('.legend summary');
        }
        if (view === 'recordings') await page.click('.more summary');
        await page.evaluate(axe);
        const found = await page.evaluate<string[]>(
          `axe.run().then(({ violations }) => violations
            .filter(({ impact }) => impact === 'serious' || impact === 'critical')
            .map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join('\\n')))`,
        );
        assert.deepEqual(found, [], view);
        await close();
      }
    });

  it('follows the system’s colours until another is chosen', async () => {
    const { page, close } = await open('recordings', { colorScheme: 'dark' });
    const theme = (): Promise<string> => page.evaluate<string>('document.documentElement.dataset.theme');
    await page.waitForSelector('.recordings td');
    assert.equal(await theme(), 'dark');
    await page.click('header >> text=Light');
    assert.equal(await theme(), 'light');
    await page.reload();
    await page.waitForSelector('.recordings td');
    assert.equal(await theme(), 'light');
    await close();
  });

  it('connects again when the daemon was away, and shows what it refuses with the remedy', async () => {
    const { page, close } = await open('now');
    await page.waitForSelector('text=connected');
    server.dropEvents();
    await page.waitForSelector('text=connection lost');
    await page.waitForSelector('.live-live');
    server.refused.set('/api/recordings', {
      title: 'busy',
      detail: 'web is being recorded',
      remedy: 'stop job 4 first',
      status: 409,
    });
    await page.click('article >> nth=0 >> text=Record 10 s');
    await page.waitForSelector('[role=alert] >> text=web is being recorded');
    await page.waitForSelector('[role=alert] >> text=stop job 4 first');
    await close();
  });

  it('hands a recording to the Perfetto UI, from tab to tab', async () => {
    const { page, trouble, close } = await open('recordings');
    const ui = `<script>
      addEventListener('message', ({ data, source, origin }) => {
        if (data === 'PING') return source.postMessage('PONG', origin);
        document.title = data.perfetto.title + ', ' + data.perfetto.buffer.byteLength;
      });
    </script>`;
    await page
      .context()
      .route('https://ui.perfetto.dev/', (route) => route.fulfill({ contentType: 'text/html', body: ui }));
    const opened = page.context().waitForEvent('page');
    const row = page.locator('.recordings tbody tr').first();
    await row.locator('summary').click();
    await row.locator('text=Open in Perfetto UI').click();
    const tab = await opened;
    const bytes = (await (await fetch(`${server.origin}/api/recordings/simulated/perfetto`)).arrayBuffer())
      .byteLength;
    await eventually('the file', async () => (await tab.title()).endsWith(`, ${bytes}`));
    assert.match(await tab.title(), /^host, web, db /);
    assert.deepEqual(trouble, []);
    await close();
  });

  it('records 10 s by one button, and deletes only after a question', async () => {
    const { page, trouble, close } = await open('now');
    await page.click('article >> nth=0 >> text=Record 10 s');
    await page.waitForSelector('text=Recording the host and web for 10 s.');
    assert.deepEqual(server.orders, [
      'POST /api/recordings {"guests":["web"],"host":true,"durationMs":10000}',
    ]);
    await page.goto(`${server.origin}/#/recordings`);
    const rows = page.locator('.recordings tbody tr');
    await rows.first().locator('summary').click();
    await rows.first().locator('text=Delete').click();
    await page.waitForSelector('dialog[open]');
    await page.keyboard.press('Escape');
    await eventually('the question is gone', async () => (await page.locator('dialog').count()) === 0);
    assert.equal(server.orders.length, 1);
    await rows.first().locator('text=Delete').click();
    await page.click('dialog button.danger');
    await eventually('one row less', async () => (await rows.count()) === 1);
    assert.equal(server.orders.at(-1), 'DELETE /api/recordings/simulated');
    assert.deepEqual(trouble, []);
    await close();
  });
});
