import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GuestAccount } from '../../../../src/host/record/guest-account.ts';
import type {
  CpuLedger,
  CpuStatus,
  RingStats,
  StatusAnswer,
  StopAnswer,
} from '../../../../src/protocol/control.ts';

const source = { instance: null, clock: 'local', pageBytes: 4096 };

function ring(overrun: number, readEvents: number): RingStats {
  return { entries: 0, overrun, commitOverrun: 0, bytes: 0, droppedEvents: 0, readEvents };
}

function cpuStatus(more: Partial<CpuStatus>): CpuStatus {
  return {
    state: 'ready',
    pid: 1,
    restarts: 0,
    pagesIn: 0,
    bytesOut: 0,
    bytesLost: 0,
    stalls: 0,
    ring: null,
    ...more,
  };
}

function status(cpus: Record<string, CpuStatus>): StatusAnswer {
  return { id: 1, ok: true, version: '1', uptimeMs: 1, state: 'stopped', ...source, cpus };
}

function stopped(ledger: Record<string, Partial<CpuLedger>>): StopAnswer {
  const whole = Object.entries(ledger).map(([cpu, more]): [string, CpuLedger] => [
    cpu,
    { pagesIn: 0, bytesOut: 0, bytesLost: 0, stalls: 0, bytesHeld: 0, flushed: true, ring: null, ...more },
  ]);
  return { id: 1, ok: true, state: 'stopped', ...source, ledger: Object.fromEntries(whole) };
}

describe('GuestAccount', () => {
  for (const ownRings of [false, true]) {
    it(`counts from the recording's start, in ${ownRings ? 'new rings' : 'existing rings'}`, () => {
      const account = new GuestAccount(ownRings);
      account.before = status({
        0: cpuStatus({ bytesOut: 8192, bytesLost: 100, ring: ring(5, 50) }),
        1: cpuStatus({}),
      });
      account.status = status({ 0: cpuStatus({ ring: ring(7, 60) }), 1: cpuStatus({ state: 'failed' }) });
      assert.deepEqual([account.overrun(0), account.readEvents(0)], [ownRings ? 7 : 2, undefined]);
      account.stopped = stopped({
        0: { bytesOut: 20_480, bytesLost: 130, bytesHeld: 4096, ring: ring(9, 70) },
        1: { bytesHeld: 1 },
      });
      assert.deepEqual([account.sentBytes(0), account.lostBytes, account.heldBytes], [12_288, 30, 4097]);
      assert.deepEqual([account.overrun(0), account.readEvents(0)], ownRings ? [9, 70] : [4, undefined]);
      assert.deepEqual(account.failedCpus, ['1']);
      assert.deepEqual(account.untracedCpus([0, 1, 2]), [2]);
    });
  }

  it("counts only this recording in rings that had counted before, whatever the instance's name", () => {
    for (const ownRings of [false, true]) {
      const account = new GuestAccount(ownRings);
      account.before = status({ 0: cpuStatus({ bytesOut: 8192, ring: ring(1000, 1000) }) });
      account.started = {
        id: 1,
        ok: true,
        state: 'running',
        ...source,
        cpus: { 0: { bytesOut: 8192, bytesHeld: 4096, ring: { ...ring(35_899, 500), entries: 7 } } },
      };
      account.status = status({ 0: cpuStatus({ ring: ring(35_900, 600) }) });
      assert.equal(account.overrun(0), 1);
      account.stopped = stopped({ 0: { bytesOut: 20_480, ring: ring(35_901, 750) } });
      assert.deepEqual([account.overrun(0), account.readEvents(0)], [2, 250]);
      assert.deepEqual(account.ring(0), { ...ring(2, 250) });
      assert.deepEqual([account.earlierBytes(0), account.earlierEvents(0)], [4096, 7]);
      assert.deepEqual([account.earlierBytes(1), account.earlierEvents(1)], [0, 0]);
      assert.equal(account.pageSizes, undefined);
      account.stopped = { ...account.stopped, pageBytes: 8192 };
      assert.deepEqual(account.pageSizes, [4096, 8192]);
    }
  });

  it('is empty for an agent that has reported nothing', () => {
    const account = new GuestAccount(true);
    assert.deepEqual(
      [account.sentBytes(0), account.lostBytes, account.heldBytes, account.overrun(0)],
      [0, 0, 0, 0],
    );
    assert.deepEqual([account.untracedCpus([0]), account.failedCpus], [[], []]);
  });
});
