import assert from 'node:assert/strict';
import type { Guest } from '../harness/index.ts';
import { type Ended, traceHost } from './trace-host.ts';

/** Links that are wrong, by name: `WHAT — REMEDY`. */
export type Faults = Readonly<Record<string, string>>;

interface Report {
  readonly sound: boolean;
  readonly links: readonly {
    readonly link: string;
    readonly state: string;
    readonly what: string;
    readonly remedy: string;
  }[];
}

/** The faults in the output of `doctor --json`; asserts that each has a remedy, and nothing else has one. */
export function faultsIn(json: string): Faults {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a wrong shape shows in the assertions
  const { sound, links } = JSON.parse(json) as Report;
  const wrong = links.filter(({ state }) => state === 'wrong');
  assert.equal(sound, wrong.length === 0, json);
  for (const { link, state, remedy } of links) assert.equal(remedy !== '', state === 'wrong', link);
  return Object.fromEntries(wrong.map(({ link, what, remedy }) => [link, `${what} — ${remedy}`]));
}

/** Runs doctor both ways: asserts that text and exit codes agree with the JSON. */
async function examine(run: (...args: string[]) => Promise<Pick<Ended, 'code' | 'stdout'>>): Promise<Faults> {
  const json = await run('--json');
  const faults = faultsIn(json.stdout);
  const text = await run();
  const wrong = text.stdout.split('\n').flatMap((line) => {
    const [, link, said] = /^(\S+) +wrong +(.*)$/.exec(line) ?? [];
    return link === undefined || said === undefined ? [] : [[link, said]];
  });
  assert.deepEqual(Object.fromEntries(wrong), faults);
  const expected = Object.keys(faults).length === 0 ? 0 : 1;
  assert.deepEqual([json.code, text.code], [expected, expected], json.stdout);
  return faults;
}

/** `trace-host doctor` for the guest whose ports are in `dir`. */
export function doctorOnHost(dir: string, ...args: string[]): Promise<Faults> {
  return examine((...more) => traceHost('doctor', '--dir', dir, '--timeout', '20s', ...args, ...more));
}

/** `trace-agent doctor` in the guest, as root or through another program. */
export function doctorInGuest(
  guest: Guest,
  args: readonly string[] = [],
  through: readonly string[] = [],
): Promise<Faults> {
  return examine((...more) => guest.run([...through, 'trace-agent', 'doctor', ...args, ...more]));
}

/** Asserts that only this link is wrong, with this message. */
export function assertOnly(faults: Faults, link: string, said: RegExp): void {
  assert.deepEqual(Object.keys(faults), [link], JSON.stringify(faults));
  assert.match(faults[link] ?? '', said);
}
