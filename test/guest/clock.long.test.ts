// @alone it traces this machine's scheduler

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { ClockMap } from '../../src/clock/map/clock-map.ts';
import type { Trace } from '../../src/trace/open.ts';
import { holdMachine } from '../local/harness/machine-lock.ts';
import { agentSkip } from '../local/harness/skip.ts';
import { mapsOf } from './clocks/held-out.ts';
import { kicksOf, measured } from './clocks/kicks.ts';
import { markPort, prepareTrials, runTrial, type Trial } from './clocks/trial.ts';
import { restoreGuest, tracePorts } from './harness/index.ts';
import type { Guest } from './harness/index.ts';
import { GuestAgent } from './support/agent.ts';
import { shareGuest } from './support/share-guest.ts';

const trials = 10;
const seconds = 10;
const nearNs = 200_000;

const us = (ns: number): string => (ns / 1000).toFixed(1);
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

describe('the clock of a real guest, recorded with its host', {
  skip: agentSkip(),
  timeout: 1_800_000,
}, () => {
  holdMachine();
  let guest: Guest;
  shareGuest(
    async () => {
      const ports = [...tracePorts(2), { name: markPort, chardev: 'socket' as const }];
      const restored = await restoreGuest({ cpus: 2, ports, monitor: true, running: GuestAgent.running() });
      await prepareTrials(restored);
      return restored;
    },
    (shared) => (guest = shared),
  );

  for (const load of [false, true])
    test(`the bound holds in ${trials} recordings ${load ? 'with' : 'without'} load`, async (context) => {
      const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-clock-'));
      context.after(() => rmSync(dir, { recursive: true, force: true }));
      context.diagnostic(
        'bound, worst, of pings; error by kicks (wake-ups); marks (nearest end); held-out: fitted/fewest/far, bound; events',
      );
      const bounds: number[] = [];
      for (let number = 1; number <= trials; number++) {
        const trial = await runTrial(guest, dir, { seconds, load });
        try {
          const { line, problems } = await judge(trial, load);
          context.diagnostic(`${number}: ${line}`);
          assert.deepEqual(problems, [], `trial ${number}: ${line}`);
        } finally {
          await trial.close();
        }
        bounds.push(trial.stated.medianBoundNs);
      }
      context.diagnostic(`median of the bounds: ${us(median(bounds))} us`);
    });
});

/** Holds what a recording says about the clock against all that it was not made of. */
async function judge(trial: Trial, load: boolean): Promise<{ line: string; problems: string[] }> {
  const { stated } = trial;
  const { pinged, all, without, heldOut, guestEvents } = await mapsOf(trial);
  const problems: string[] = [];
  const must = (holds: boolean, what: string): void => {
    if (!holds) problems.push(what);
  };

  const [piece] = all.pieces;
  must(all.pieces.length === 1, `${all.pieces.length} pieces`);
  must(
    stated.medianBoundNs === piece?.medianBoundNs && stated.boundNs === piece.boundNs,
    `stated are ${stated.medianBoundNs} and ${stated.boundNs}, not ${piece?.medianBoundNs} and ${piece?.boundNs}`,
  );

  const bound = stated.medianBoundNs;
  const kicks = await kicksOf(trial);
  const { from, to, most, at } = measured(all, kicks);
  must(most >= 5, `${most} wake-ups in kicks`);
  must(from <= bound && to >= -bound, `off by ${from} to ${to} ns by kicks, not by ${bound}`);
  for (const shift of [-nearNs, nearNs]) must(at(shift) < most, `${at(shift)} of ${most} at ${shift}`);

  const marks = await marksOf(trial, all);
  must(marks.missing === 0, `${marks.missing} markers are missing`);
  for (const wrong of marks.wrong) must(false, wrong);

  for (const { hostBefore, guest, hostAfter } of trial.pings) {
    const { ns, boundNs } = without.at(guest);
    must(
      ns + BigInt(boundNs) >= hostBefore && ns - BigInt(boundNs) <= hostAfter,
      `a ping at ${guest} with the held-out seconds left out`,
    );
  }
  const sum = (field: keyof (typeof heldOut)[number]): number =>
    heldOut.reduce((so, each) => so + each[field], 0);
  must(heldOut.length >= 3, `${heldOut.length} held-out seconds`);
  for (const [index, { fitted, fewest }] of heldOut.entries())
    must(fitted <= fewest, `held-out second ${index}: ${fitted} violations, at best ${fewest}`);
  if (load) {
    must(stated.methods.includes('exclusion'), stated.methods.join());
    must(bound < medianOf(pinged) / 3, `${bound}, with pings ${medianOf(pinged)}`);
    const few = `violations: ${sum('fitted')}, and outside the bound ${sum('far')}`;
    must(sum('far') > 10 * sum('fitted'), few);
  }
  const line =
    `± ${us(bound)}, ${us(stated.boundNs)}, ${us(medianOf(pinged))} us; ${us(from)} to ${us(to)} us (${most}); ` +
    `${marks.found} (${us(marks.nearest)} us); ${sum('fitted')}/${sum('fewest')}/${sum('far')} in ${heldOut.length} s, ` +
    `± ${us(median(heldOut.map((each) => each.boundNs)))} us; ` +
    `${guestEvents}`;
  return { line, problems };
}

function medianOf({ pieces }: ClockMap): number {
  return pieces[0]?.medianBoundNs ?? NaN;
}

interface MarksFound {
  readonly found: number;
  readonly missing: number;
  readonly wrong: readonly string[];
  /** The least distance from a computed time to an end of what is possible; less than 0: outside. */
  readonly nearest: number;
}

/** The markers of the guest, each between two readings of the host's clock; also with the times in the file. */
async function marksOf({ guest, shifted, marks }: Trial, map: ClockMap): Promise<MarksFound> {
  const [own, inFile] = [await markTimes(guest), await markTimes(shifted)];
  const wrong: string[] = [];
  let nearest = Infinity;
  for (const [text, time] of own) {
    const mark = marks.get(text);
    if (mark === undefined) continue;
    const { ns, boundNs } = map.at(time);
    const room = Math.min(Number(ns - mark.before), Number(mark.after - ns));
    nearest = Math.min(nearest, room);
    if (room < -boundNs) wrong.push(`${text}: outside by ${-room} ns, with a bound of ${boundNs}`);
    const off = Math.abs(Number((inFile.get(text) ?? 0n) - ns));
    if (off > boundNs / 64 + 2) wrong.push(`${text}: its time in the file is ${off} ns away`);
  }
  const found = [...marks.keys()].filter((text) => own.has(text)).length;
  return { found, missing: marks.size - found, wrong, nearest };
}

async function markTimes(trace: Trace): Promise<ReadonlyMap<string, bigint>> {
  const times = new Map<string, bigint>();
  for await (const batch of trace.events({ events: ['ftrace:print'] }))
    for (const event of batch) times.set(String(event.get('buf')).trim(), event.timestamp);
  return times;
}
