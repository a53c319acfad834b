import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { browserPath, launch } from '../test/local/page/browser.ts';
import { madeFrame, madeGuests } from '../test/local/page/made-frame.ts';
import { PageServer } from '../test/local/page/page-server.ts';
import { simulatedRecording } from '../test/local/page/made-recordings.ts';
import type { Benchmark } from './benchmark.ts';
import { median } from './measure/median.ts';

/** Zooms in and out again, a step with each frame; gives the frames in a second and the longest time between two. */
const zoom = (ms: number): string => `new Promise((resolve) => {
  const canvas = document.querySelector('.timeline-canvas canvas');
  const { left, top } = canvas.getBoundingClientRect();
  const begin = performance.now();
  const times = [];
  const step = (now) => {
    times.push(now);
    const part = (performance.now() - begin) / ${ms};
    if (part >= 1) {
      const gaps = times.slice(1).map((time, at) => time - times[at]);
      return resolve([(gaps.length / (times.at(-1) - times[0])) * 1000, Math.max(...gaps)]);
    }
    canvas.dispatchEvent(new WheelEvent('wheel', {
      deltaY: part < 0.5 ? -30 : 30, clientX: left + 600, clientY: top + 200, cancelable: true,
    }));
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})`;

/** How fast the page is in a headless browser without a graphics card. */
export const page: Benchmark = {
  name: 'page',
  on: ['native'],
  async run({ extent, say }) {
    if (browserPath === undefined) throw new Error('no browser; install the Debian package chromium');
    const dir = mkdtempSync(join(tmpdir(), 'bench-page-'));
    const browser = await launch();
    const found = new Map<string, number[]>();
    const add = (name: string, value: number): void => {
      found.set(name, [...(found.get(name) ?? []), value]);
      say(`${name}: ${value.toFixed(3)}`);
    };
    try {
      const recording = await simulatedRecording(dir, extent.small ? 3e8 : 2.2e10, 5e4);
      for (let round = 0; round < extent.rounds; round++) {
        const answers = { guests: madeGuests, jobs: { jobs: [] }, frame: madeFrame };
        // a new one: it writes the timeline again
        const server = await PageServer.start([recording], answers);
        const tab = await browser.newPage({ viewport: { width: 1360, height: 820 } });
        await tab.goto(server.origin);
        await tab.waitForSelector('.card');
        const paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime";
        add('first paint, s', (await tab.evaluate<number>(paint)) / 1e3);
        const begin = performance.now();
        await tab.goto(`${server.origin}/#/timeline/${recording.id}`);
        await tab.waitForSelector('.timeline[aria-busy=false]', { timeout: 120_000 });
        add('timeline shown, s', (performance.now() - begin) / 1e3);
        await tab.waitForSelector('.wait-button', { timeout: 120_000 });
        const [frames, longest] = await tab.evaluate<[number, number]>(zoom(extent.small ? 500 : 6000));
        add('frames a second while zooming', frames);
        add('longest frame while zooming, ms', longest);
        await tab.close();
        await server.close();
      }
    } finally {
      await browser.close();
      rmSync(dir, { recursive: true, force: true });
    }
    return {
      name: 'page native',
      title: 'the page, with a recording of a host with 4 CPUs and two guests',
      columns: ['what', 'median'],
      rows: [...found].map(([what, values]) => ({ what, median: median(values) })),
    };
  },
};
