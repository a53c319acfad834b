import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { restoreGuest } from '../harness/index.ts';
import type { Collector, Guest } from '../harness/index.ts';
import { guestTracefs, MarkerReader, outOfOrder, ringStats, span } from './account.ts';
import { assertAsBefore } from './as-before.ts';
import { isLong } from '../../set.ts';
import { GuestAgent, load } from './agent.ts';

/** So large that nothing is overwritten, even if it is read late. */
const largeRingKb = 8192;
const usualRingKb = 1408;
/** Data in transit has arrived after this long, or is lost. */
const arrivalMs = 60_000;

/** Defines the tests of an agent in a guest of so many CPUs. */
export function describeMoving(cpuCount: number): void {
  const cpus = span(0, cpuCount);
  describe(`an agent in a guest of ${cpuCount} CPUs`, { timeout: 1_800_000 }, () => {
    let guest: Guest;
    let reader: MarkerReader;
    let agent: GuestAgent;
    const collectors: Collector[] = [];
    /** Number of bytes already read, by CPU. */
    const seen: number[] = cpus.map(() => 0);

    before(async () => {
      guest = await restoreGuest({ cpus: cpuCount, running: GuestAgent.running() });
      reader = await MarkerReader.of(guest);
      for (const cpu of cpus) collectors.push(await guest.collect(cpu));
      agent = GuestAgent.of(guest);
    });

    after(async () => {
      await guest.close();
    });

    /** What has arrived from a CPU since the last call; waits for marker `last` if given. */
    async function arrived(cpu: number, last?: number): Promise<number[]> {
      const collector = collectors[cpu];
      assert.ok(collector);
      for (const deadlineMs = performance.now() + arrivalMs; ; ) {
        const bytes = await collector.waitQuiet(300);
        const { numbers, leftoverBytes } = reader.read(collector, cpu, seen[cpu]);
        const isAll =
          leftoverBytes === 0 && bytes === collector.bytes && (last === undefined || numbers.at(-1) === last);
        if (!isAll && performance.now() < deadlineMs) continue;
        assert.equal(leftoverBytes, 0, 'only whole pages arrive');
        seen[cpu] = bytes;
        return [...numbers];
      }
    }

    async function setRings(kb: number): Promise<void> {
      await guest.check(`echo ${kb} > ${guestTracefs}/buffer_size_kb`);
    }

    test('nothing is sent before the order', async () => {
      await load(guest, cpus, { rate: 1000, count: 100 });
      for (const collector of collectors) assert.equal(await collector.waitQuiet(500), 0);
    });

    test('after 1 and 0 every marker has arrived once and in order, including the last page', async () => {
      await agent.order1();
      await setRings(largeRingKb);
      const before = new Map<number, number>();
      for (const cpu of cpus) before.set(cpu, (await ringStats(guest, cpu)).overrun);
      await load(guest, cpus, { rate: 500, count: 2501, start: 1000 });
      await agent.order0();
      for (const cpu of cpus) {
        const numbers = (await arrived(cpu, 3500)).filter((number) => number >= 1000);
        assert.equal((await ringStats(guest, cpu)).overrun, before.get(cpu), `CPU ${cpu} has overrun`);
        assert.deepEqual(numbers, span(1000, 2501), `CPU ${cpu}`);
      }
    });

    test('after 0 nothing arrives although markers are written; after 1 all of them do', async () => {
      await load(guest, cpus, { rate: 1000, count: 500, start: 1 });
      for (const cpu of cpus) assert.deepEqual(await arrived(cpu), []);
      await agent.order1();
      await load(guest, cpus, { rate: 1000, count: 500, start: 501 });
      await agent.order0();
      for (const cpu of cpus) assert.deepEqual(await arrived(cpu, 1000), span(1, 1000), `CPU ${cpu}`);
    });

    test("at 20 MB/s per CPU, the received markers and the kernel's overrun add up to those written", async () => {
      const rate = cpuCount === 2 ? 20_000 : 5_000;
      const count = rate * (isLong ? 5 : 2);
      await setRings(usualRingKb);
      await agent.order1();
      const before = await Promise.all(cpus.map((cpu) => ringStats(guest, cpu)));
      await load(guest, cpus, { rate, count });
      await agent.order0();
      for (const cpu of cpus) {
        const numbers = await arrived(cpu, count);
        const { overrun, entries } = await ringStats(guest, cpu);
        assert.equal(numbers.length + overrun - (before[cpu]?.overrun ?? 0), count, `CPU ${cpu}`);
        assert.equal(entries, 0, 'the ring is empty');
        assert.equal(outOfOrder(numbers), undefined, `CPU ${cpu}: doubled or out of order`);
        assert.equal(numbers.at(-1), count, `CPU ${cpu}: the tail is there`);
      }
    });

    test('SIGTERM ends an idle and a busy agent cleanly, with the last page flushed', async () => {
      await agent.end();
      agent = await GuestAgent.start(guest);
      await agent.order1();
      const writers = load(guest, cpus, { rate: 1000, count: 3000 });
      for (const [cpu, collector] of collectors.entries()) await collector.waitBytes((seen[cpu] ?? 0) + 1);
      await agent.end();
      await writers;
      for (const cpu of cpus) {
        const numbers = await arrived(cpu);
        assert.ok(numbers.length > 0);
        assert.deepEqual(numbers, span(1, numbers.length), `CPU ${cpu}`);
      }
      await assertAsBefore(guest);
    });
  });
}
