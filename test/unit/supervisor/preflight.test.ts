import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import pino from 'pino';
import { PortAway } from '../../../src/supervisor/ports/ports.ts';
import { openControlPort, warnOfOldKernel } from '../../../src/supervisor/preflight.ts';

const log = pino({ level: 'silent' });
const never = new Promise<never>(() => undefined);

/** A control port that another process holds for so many attempts. */
function held(looks: number): { open(): void; looked: number } {
  return {
    looked: 0,
    open() {
      this.looked += 1;
      if (this.looked <= looks) throw new PortAway('busy', 'port x is held by y', 'end it');
    },
  };
}

describe('warnOfOldKernel', () => {
  it('warns on kernels older than the tested ones, and only there', () => {
    const said: string[] = [];
    const listening = pino({ level: 'warn' }, { write: (line: string) => void said.push(line) });
    for (const kernel of ['6.1.0-39-amd64', '6.12.0', '10.0.1', 'no number'])
      warnOfOldKernel(listening, kernel);
    assert.deepEqual(said, []);
    for (const kernel of ['4.18.0-553.el8_10.x86_64', '4.19.0-27-amd64', '5.14.0-503.el9', '6.0.0'])
      warnOfOldKernel(listening, kernel);
    assert.equal(said.length, 4);
    assert.match(said[0] ?? '', /"kernel":"4\.18\.0-553\.el8_10\.x86_64".*not tested on kernels before 6\.1/);
  });
});

describe('openControlPort', () => {
  it('waits until the holder of the port has ended', async () => {
    const port = held(2);
    await openControlPort(port, never, log);
    assert.equal(port.looked, 3);
  });

  it('does not delay the end of an agent that is told to end meanwhile', async () => {
    const port = held(Number.POSITIVE_INFINITY);
    await openControlPort(port, new Promise((resolve) => setTimeout(resolve, 100)), log);
    // otherwise it would retry for ten seconds, and throw
    const { looked } = port;
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(port.looked, looked, 'and does not look again');
  });
});
