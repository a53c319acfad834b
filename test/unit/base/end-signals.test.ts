import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';

const module = new URL('../../../src/base/end-signals.js', import.meta.url).href;
/** Longer than the interval in which signals count as one. */
const laterMs = 600;

/** Prints `first` and `again` for the signals it receives; with `busy`, blocks at the first until its stdin ends. */
function listener(busy: boolean) {
  const script = `const { onEndSignals } = await import(${JSON.stringify(module)});
    const { readFileSync } = await import('node:fs');
    onEndSignals((signal) => {
      console.log('first', signal);
      if (${busy}) readFileSync(0);
    }, (signal) => console.log('again', signal), () => console.log('hung up'));
    setInterval(() => {}, 1000);
    console.log('listens');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const said: string[] = [];
  const lines = createInterface(child.stdout).on('line', (line) => said.push(line));
  return { child, said, next: () => once(lines, 'line') };
}

type Listener = ReturnType<typeof listener>;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Sends a later signal, which counts as the second. A busy program may receive it together with the first ones:
 * then one more is needed.
 */
async function hearsLaterOnes({ child, said }: Listener, first: string): Promise<void> {
  await pause(laterMs);
  assert.deepEqual(said, ['listens', first]);
  for (let tries = 0; said.length < 3; tries += 1) {
    assert.ok(tries < 100, 'it never hears a second one');
    child.kill('SIGINT');
    await pause(laterMs);
  }
  assert.equal(said[2], 'again SIGINT');
}

describe('signals that end a program', () => {
  it('treats two at once, as from timeout(1), as one; a later one is the second', async (test) => {
    const listening = listener(false);
    const { child, next } = listening;
    test.after(() => child.kill('SIGKILL'));
    await next();
    // both signals are pending when it continues
    for (const signal of ['SIGSTOP', 'SIGTERM', 'SIGINT', 'SIGCONT'] as const) child.kill(signal);
    const [first] = await next();
    assert.match(String(first), /^first SIG(TERM|INT)$/);
    await hearsLaterOnes(listening, String(first));
  });

  it('treats two at once as one also when the first keeps the program busy for long', async (test) => {
    const listening = listener(true);
    const { child, next } = listening;
    test.after(() => child.kill('SIGKILL'));
    await next();
    child.kill('SIGTERM');
    await next();
    child.kill('SIGTERM');
    child.kill('SIGINT');
    await pause(laterMs);
    child.stdin.end();
    await hearsLaterOnes(listening, 'first SIGTERM');
  });
});
