import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Alignment } from '../../../src/clock/align.ts';
import { Exclusion } from '../../../src/clock/exclusion/pairs.ts';
import { readHostTimes, takeGuestEvents } from '../../../src/clock/exclusion/trace-events.ts';
import { openTrace, type Trace } from '../../../src/trace/open.ts';
import { simulate } from '../../simulator/machine.ts';
import { aligned, errorsOf } from '../../simulator/observed.ts';
import { busyMachine, hostLeadNs, recordedEvents } from '../../simulator/recordings.ts';
import { type MadeEvent, madeRecording } from '../analysis/made-trace.ts';

async function opened(test: TestContext, events: readonly MadeEvent[]): Promise<Trace> {
  const trace = await openTrace(await madeRecording(test, events, 'boot'));
  test.after(() => trace.close());
  return trace;
}

describe('the traces of a host and a guest', () => {
  it('give the same map as their events do', async (test) => {
    const machine = simulate(busyMachine);
    const { pings, tids, events, clock } = machine;
    const { host, guest } = recordedEvents(machine);
    const hostTrace = await opened(test, host);
    const guestTrace = await opened(test, guest);

    const found = await readHostTimes(hostTrace.events(), hostTrace.formats(), tids);
    const shifted = pings.map(({ hostBefore, guest, hostAfter }) => ({
      hostBefore: hostBefore - clock.hostOrigin + hostLeadNs,
      guest: guest - clock.guestOrigin,
      hostAfter: hostAfter - clock.hostOrigin + hostLeadNs,
    }));
    const alignment = Alignment.of({ pings: shifted })!;
    const exclusion = new Exclusion(alignment.map, found.vcpus, {
      hostOrigin: found.origin,
      guestOrigin: 0n,
    });
    await takeGuestEvents(guestTrace.events(), exclusion);
    const map = alignment.refined(exclusion);

    const direct = aligned(machine).refined;
    assert.equal(errorsOf(direct, machine).lies, 0);
    assert.ok(map.pieces[0]!.methods.includes('exclusion'));
    for (const { guest, host } of events) {
      const { ns, boundNs } = map.at(guest - clock.guestOrigin);
      assert.ok(Math.abs(Number(ns - hostLeadNs - (host - clock.hostOrigin))) <= boundNs);
      assert.ok(Math.abs(boundNs - direct.boundAt(guest)) < 10);
    }
  });
});
