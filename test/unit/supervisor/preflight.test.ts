import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import pino from 'pino';
import { PortAway } from '../../../src/supervisor/ports.ts';
import { openControlPort } from '../../../src/supervisor/preflight.ts';

const log = pino({ level: 'silent' });
const never = new Promise<never>(() => undefined);

/** A control port that another process holds for so many looks. */
function held(looks: number): { open(): void; looked: number } {
  return {
    looked: 0,
    open() {
      this.looked += 1;
      if (this.looked <= looks) throw new PortAway('busy', 'port x is held by y', 'end it');
    },
  };
}

describe('openControlPort', () => {
  it('waits for who holds the port to end', async () => {
    const port = held(2);
    await openControlPort(port, never, log);
    assert.equal(port.looked, 3);
  });

  it('does not keep an agent that is told to end meanwhile', async () => {
    const port = held(Number.POSITIVE_INFINITY);
    await openControlPort(port, new Promise((resolve) => setTimeout(resolve, 100)), log);
    // else it would look for ten seconds, and throw
    const { looked } = port;
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(port.looked, looked, 'and does not look again');
  });
});
