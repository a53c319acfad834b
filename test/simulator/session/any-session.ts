import * as fc from 'fast-check';
import type { EventKind, Faults, GuestOptions, HostOptions, SessionOptions } from './options.ts';

const names = ['web', 'db', 'mail', 'ci'];

/** A mean time, small ones as likely as large ones, and often never. */
function mean(low: number, high: number): fc.Arbitrary<number> {
  const exponent = fc.integer({ min: Math.round(Math.log2(low) * 8), max: Math.round(Math.log2(high) * 8) });
  return fc.oneof(
    { weight: 4, arbitrary: exponent.map((each) => Math.round(2 ** (each / 8))) },
    { weight: 1, arbitrary: fc.constant(Infinity) },
  );
}

const part = (most: number): fc.Arbitrary<number> =>
  fc.integer({ min: 0, max: 100 }).map((each) => (each * most) / 100);

const host: fc.Arbitrary<HostOptions> = fc.record({
  cpus: fc.integer({ min: 1, max: 8 }),
  tasks: fc.integer({ min: 0, max: 10 }),
  hogs: fc.integer({ min: 0, max: 3 }),
  pinned: part(1),
  irqEveryNs: mean(1e5, 5e6),
  balanceEveryNs: mean(1e5, 5e6),
});

function guest(name: string, durationNs: number): fc.Arbitrary<GuestOptions> {
  const pause = fc.record({
    at: fc.integer({ min: 1, max: durationNs }),
    ns: fc.integer({ min: 1000, max: Math.ceil(durationNs / 3) }),
  });
  return fc.record(
    {
      name: fc.constant(name),
      vcpus: fc.integer({ min: 1, max: 4 }),
      hasKvm: fc.boolean(),
      tasks: fc.integer({ min: 1, max: 8 }),
      hogs: fc.integer({ min: 0, max: 2 }),
      irqEveryNs: mean(1e5, 5e6),
      exitEveryNs: mean(3e4, 3e6),
      slowExits: part(0.5),
      timerByThread: fc.boolean(),
      isPinned: fc.boolean(),
      throttle: fc.record({
        everyNs: fc.integer({ min: 1e6, max: 2e7 }),
        ns: fc.integer({ min: 1e4, max: 5e6 }),
      }),
      pauses: fc.oneof(
        { weight: 3, arbitrary: fc.constant([]) },
        { weight: 1, arbitrary: pause.map((each) => [each]) },
      ),
      ratePpm: fc.integer({ min: -200, max: 200 }),
      wanderPpm: fc.constantFrom(0, 0, 1),
      clockErrorNs: fc.constantFrom(0, 0, 500, 20_000),
    },
    {
      requiredKeys: [
        'name',
        'vcpus',
        'hasKvm',
        'tasks',
        'hogs',
        'irqEveryNs',
        'exitEveryNs',
        'slowExits',
        'timerByThread',
        'isPinned',
        'pauses',
        'ratePpm',
        'wanderPpm',
        'clockErrorNs',
      ],
    },
  );
}

const kinds = (of: readonly EventKind[]): fc.Arbitrary<EventKind[]> => fc.subarray([...of], { maxLength: 2 });

/** What recordings may lack. */
export const anyFaults: fc.Arbitrary<Faults> = fc.record(
  {
    hostLoss: part(0.01),
    guestLoss: part(0.01),
    lossLength: fc.integer({ min: 1, max: 100 }),
    noSwitchFromIdle: fc.subarray([0, 1, 2, 3]),
    hostWithout: kinds(['irq', 'softirq', 'kvm']),
    guestsWithout: kinds(['irq', 'softirq', 'hrtimer']),
  },
  { requiredKeys: [] },
);

/**
 * Any host with up to four guests, for a few milliseconds.
 * @param faults none by default: everything is recorded
 */
export function anySession(faults: fc.Arbitrary<Faults> = fc.constant({})): fc.Arbitrary<SessionOptions> {
  return fc
    .record({ durationNs: fc.integer({ min: 1e6, max: 3e7 }), count: fc.integer({ min: 1, max: 4 }) })
    .chain(({ durationNs, count }) =>
      fc.record({
        seed: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
        durationNs: fc.constant(durationNs),
        host,
        guests: fc.tuple(...names.slice(0, count).map((name) => guest(name, durationNs))),
        faults,
      }),
    );
}
