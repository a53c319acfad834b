import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type TopFrame, topLines } from '../../../../../src/cli/host/top/top-text.ts';

const frame = (comm: string): TopFrame => ({
  frame: 1,
  at: '2026-01-02T03:04:05.678Z',
  spanMs: 1000,
  machines: [
    {
      name: 'web',
      host: false,
      state: 'tracing',
      agentVersion: '0.1.0',
      events: 5,
      eventsPerSecond: 5,
      bytesPerSecond: 4096,
      lostBytes: 0,
      overrun: 0,
      restarts: 0,
      skippedBytes: 8192,
      cpus: [
        {
          cpu: 0,
          busyShare: 0.5,
          irqShare: null,
          topTask: { comm, pid: 7, share: 0.5 },
          stealShare: 0.25,
          ringFill: null,
          lostBytes: 0,
          overrun: 0,
        },
      ],
      tasks: [{ comm, pid: 7, share: 0.5, cpus: [0] }],
      steal: [{ byComm: comm, byPid: 9, share: 0.25, guestCpu: 0 }],
      wakeups: null,
      missing: ['irq'],
      why: null,
    },
  ],
});

describe('topLines', () => {
  it('shows shares, bars, thieves, what was skipped and what is missing', () => {
    const text = topLines(frame('make'), 200).join('\n');
    assert.match(text, /^web: tracing, agent 0\.1\.0$/m);
    assert.match(text, /0 +50\.0 % +\[#{5} {5}\] +- +25\.0 % +- +make 50\.0 %/);
    assert.match(text, /^ {2}make +9 +25\.0 % +0$/m);
    assert.match(text, /too much: 8\.0 KiB/);
    assert.match(text, /^ {2}- is not known without events of irq$/m);
  });

  for (const columns of [1, 10, 40, 80, 200])
    it(`never writes more than ${columns} columns, nor a control character`, () => {
      for (const line of topLines(frame('\u001b[2J\u009b\u202e漢字漢字漢'), columns)) {
        const width = Array.from(line).reduce((sum, each) => sum + (each > '\u10ff' ? 2 : 1), 0);
        assert.ok(width <= columns, line);
        assert.doesNotMatch(line, /\p{Cc}|\p{Cf}/u);
      }
    });

  it('leaves out lines beyond the height', () => {
    assert.equal(topLines(frame('make'), 80, 4).length, 4);
  });
});
