import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Alignment } from '../../../src/clock/align.ts';
import type { PingSample } from '../../../src/clock/map/observations.ts';

const ms = 1_000_000n;
const second = 1_000_000_000n;
const width = 20_000n;

/** A ping whose guest's stamp is `difference` before the host's clock. */
function ping(host: bigint, difference: bigint): PingSample {
  return { hostBefore: host - width, guest: host - difference, hostAfter: host + width };
}

function pings(from: bigint, to: bigint, difference: bigint): PingSample[] {
  const found: PingSample[] = [];
  for (let host = from; host < to; host += second / 10n) found.push(ping(host, difference));
  return found;
}

describe('a guest clock that jumps', () => {
  it('gets a piece on either side, and a bound between that covers both', () => {
    const { map } = Alignment.of({
      pings: [...pings(second, 3n * second, 5n), ...pings(3n * second, 5n * second, 5n + 7n * ms)],
    })!;
    assert.equal(map.pieces.length, 2);
    assert.equal(map.toHost(2n * second - 5n), 2n * second);
    assert.equal(map.toHost(4n * second - 5n - 7n * ms), 4n * second);
    const [before, after] = map.pieces;
    // 2.9 s to 3 s: it jumped there
    const between = map.at(before!.guestTo + 40n * ms);
    const [early, late] = [between.ns - BigInt(between.boundNs), between.ns + BigInt(between.boundNs)];
    assert.ok(early <= before!.guestTo + 40n * ms + 5n);
    assert.ok(late >= before!.guestTo + 40n * ms + 5n + 7n * ms);
    assert.equal(after!.offsetNs, 5n + 7n * ms);
  });

  it('keeps a single wrong ping out', () => {
    const good = pings(second, 5n * second, 5n);
    const { map } = Alignment.of({ pings: [...good, ping(3n * second + 50n * ms, 30n * ms)] })!;
    assert.equal(map.pieces.length, 1);
    assert.equal(map.pieces[0]!.violations, 1);
    assert.equal(map.toHost(3n * second), 3n * second + 5n);
  });

  it('is believed to have jumped if the pings after it agree, although a line could reach the later ones', () => {
    const wide = (host: bigint, difference: bigint): PingSample => {
      return { hostBefore: host - 450_000n, guest: host - difference, hostAfter: host + 450_000n };
    };
    const pings = [0n, 250n, 500n, 750n, 1000n, 1250n].map((at) => {
      return wide(second + at * ms, at < 300n ? 0n : 2_100_000n);
    });
    const { map } = Alignment.of({ pings })!;
    assert.deepEqual(
      map.pieces.map(({ violations }) => violations),
      [0, 0],
    );
    const { ns, boundNs } = map.at(second + 600n * ms - 2_100_000n);
    assert.ok(Math.abs(Number(ns - (second + 600n * ms))) <= boundNs);
  });

  it('is exact up to a pause that is known, and from its end on', () => {
    const pause = { hostFrom: 3n * second, hostTo: 4n * second };
    const before = pings(second, 3n * second - 500n * ms, 5n);
    const after = pings(4n * second + 500n * ms, 6n * second, 5n + second);
    const { map } = Alignment.of({ pings: [...before, ...after], breaks: [pause] })!;
    // the guest's clock stood at 3 s
    for (const distance of [10n * ms, 100n * ms, 400n * ms]) {
      const [last, first] = [map.at(3n * second - 5n - distance), map.at(3n * second - 5n + distance)];
      assert.ok(last.boundNs < 200_000 && first.boundNs < 200_000, `${last.boundNs} ${first.boundNs}`);
      assert.ok(Math.abs(Number(last.ns - (3n * second - distance))) < last.boundNs);
      assert.ok(Math.abs(Number(first.ns - (4n * second + distance))) < first.boundNs);
    }
  });

  it('is cut at a pause that the pings do not show, also if one overlaps it', () => {
    const brief = 15_000n;
    const pause = { hostFrom: 3n * second, hostTo: 3n * second + brief };
    const during = ping(3n * second, 0n);
    const { map } = Alignment.of({
      pings: [
        ...pings(second, 3n * second - 50n * ms, 0n),
        during,
        ...pings(3n * second + 100n * ms, 5n * second, brief),
      ],
      breaks: [pause],
    })!;
    assert.deepEqual(
      map.pieces.map(({ offsetNs }) => offsetNs),
      [0n, brief],
    );
  });

  it('allows for pauses before the first and after the last ping', () => {
    const breaks = [
      { hostFrom: 1n * second, hostTo: 2n * second },
      { hostFrom: 6n * second, hostTo: 8n * second },
    ];
    const { map } = Alignment.of({ pings: pings(3n * second, 5n * second, 0n), breaks })!;
    for (const [guest, host] of [
      [second + 900n * ms, 900n * ms],
      [7n * second, 9n * second],
    ] as const) {
      const { ns, boundNs } = map.at(guest);
      assert.ok(Math.abs(Number(ns - host)) <= boundNs, `${guest}: ${ns} ± ${boundNs}`);
    }
    assert.ok(map.boundAt(4n * second) < 100_000);
  });

  it('covers both meanings of a time that it had twice', () => {
    const back = 1500n * ms;
    const { map } = Alignment.of({
      pings: [...pings(second, 4n * second, 0n), ...pings(4n * second, 8n * second, back)],
    })!;
    const { ns, boundNs } = map.at(3n * second);
    for (const host of [3n * second, 3n * second + back])
      assert.ok(Math.abs(Number(ns - host)) <= boundNs, `${host}: ${ns} ± ${boundNs}`);
    assert.equal(map.toHost(6n * second), 6n * second + back);
    assert.ok(map.boundAt(2n * second) < 100_000);
  });
});

describe('a clock map', () => {
  it('does not exist without a ping', () => {
    assert.equal(Alignment.of({ pings: [] }), undefined);
    const pairs = [{ guest: 1n, host: 2n, first: 'guest' }] as const;
    assert.equal(Alignment.of({ pings: [], pairs }), undefined);
  });

  it('has a bound that grows with the distance from a single ping', () => {
    const { map } = Alignment.of({ pings: [ping(10n * second, 3n)], limits: { mostRatePpm: 100 } })!;
    assert.equal(map.toHost(10n * second - 3n), 10n * second);
    const near = map.boundAt(10n * second - 3n);
    assert.ok(near >= 20_000 && near < 20_010, `${near}`);
    const far = map.boundAt(20n * second - 3n);
    assert.ok(far >= 20_000 + 1_000_000 && far < 20_000 + 1_020_000, `${far}`);
  });

  it('is narrowed by pairs of events whose order is known', () => {
    const only = pings(second, 3n * second, 0n);
    const pairs = Array.from({ length: 100 }, (_, i) => 1000n + 20n * BigInt(i)).flatMap((at) => [
      { guest: at * ms, host: at * ms + 900n, first: 'guest' } as const,
      { guest: at * ms, host: at * ms - 700n, first: 'host' } as const,
    ]);
    const [wide, narrow] = [Alignment.of({ pings: only })!.map, Alignment.of({ pings: only, pairs })!.map];
    const at = 1500n * ms;
    assert.ok(narrow.boundAt(at) < wide.boundAt(at) / 2, `${narrow.boundAt(at)} ${wide.boundAt(at)}`);
    assert.ok(narrow.pieces[0]!.methods.includes('order'));
  });

  it('is exact for times of any size', () => {
    const start = 2n ** 62n;
    const { map } = Alignment.of({ pings: pings(start, start + 2n * second, start - 12_345n) })!;
    assert.equal(map.toHost(12_345n + second), start + second);
  });

  it('gives samples to interpolate between: two at least, in order', () => {
    const one = Alignment.of({ pings: [ping(10n * second, 3n)] })!.map.samples();
    assert.equal(one.length, 2);
    const many = Alignment.of({
      pings: [...pings(second, 3n * second, 5n), ...pings(3n * second, 5n * second, 5n + 7n * ms)],
    })!.map;
    const samples = many.samples();
    for (const [i, { guest, host, boundNs }] of samples.entries()) {
      assert.ok(i === 0 || guest > samples[i - 1]!.guest);
      // where a line begins 1 ns later, both are true
      const isEnd = samples[i + 1]?.guest === guest + 1n;
      const error = Math.abs(Number(many.toHost(guest) - host));
      assert.ok(error <= (isEnd ? Math.max(boundNs, many.boundAt(guest)) : 1), `${guest}: ${host}`);
      assert.ok(isEnd || boundNs >= many.boundAt(guest) - 2);
    }
  });
});
