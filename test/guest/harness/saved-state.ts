import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { exitCode, Failure } from '../../../src/base/failure.ts';
import { quoted } from '../../../src/base/quoted.ts';
import { cachedLater } from './cached.ts';
import type { Guest, SavedState } from './guest.ts';
import { agentMachine, bootMachine, keyOf, resumeMachine } from './machine.ts';
import type { BootOptions, Machine } from './machine.ts';
import { cacheDir } from './paths.ts';
import { tool } from './tool.ts';

export interface RestoreOptions extends BootOptions {
  /** A command that the saved state has run up to this point: `restored[0]` of the guest. */
  readonly running?: Running;
}

export interface Running {
  readonly command: readonly string[];
  /** Its output up to the point of the save. */
  readonly until: RegExp;
}

/** Version of a state's directory; change it when its contents change. */
const layout = '1';
/** States take 350 MB each for a guest of two CPUs; the least recently used are removed first. */
const defaultCapMb = 4096;
const dayMs = 24 * 3600 * 1000;

/**
 * Like `bootGuest`, but restores the guest from a saved state in a fraction of a second. The state is created when
 * it is first needed, one for each machine (kernel, image, CPUs, memory, devices) and command that runs in it; the
 * kind of a port's chardev may differ from that in the saved guest. The guest's wall clock and random numbers are
 * set; all other clocks continue from their saved values.
 */
export function restoreGuest(options: RestoreOptions): Promise<Guest> {
  return restoreMachine(agentMachine(options), options);
}

/** Like `restoreGuest`, with another machine than the harness's own. */
export async function restoreMachine(machine: Machine, options: RestoreOptions): Promise<Guest> {
  return resumeMachine(machine, options, await savedState(machine, options));
}

function readCapMb(): number {
  const text = process.env['GUEST_STATES_MB'] ?? String(defaultCapMb);
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new Failure(
    exitCode.usage,
    `GUEST_STATES_MB: ${quoted(text)} is not a number of megabytes`,
    'set it to a whole number, such as 4096',
  );
}

async function savedState(machine: Machine, options: RestoreOptions): Promise<SavedState> {
  const capMb = readCapMb();
  const { running, portsDir: _, ...bare } = options;
  const words = [layout, keyOf(machine, options), ...(running?.command ?? [])];
  const hash = createHash('sha256').update(words.join('\0')).digest('hex').slice(0, 16);
  const dir = await cachedLater(`state-${hash}`, async (path) => {
    mkdirSync(path);
    const { memory, devices } = filesOf(path);
    await using guest = await unsaved(machine, bare, running, memory);
    const census = await guest.censusBefore();
    if (running !== undefined) await (await guest.spawn(running.command)).waitFor(running.until, 240_000);
    const inside: Inside = { census, running: await guest.save(devices) };
    writeFileSync(join(path, insideFile), JSON.stringify(inside));
    makeRoom(capMb);
  });
  const now = new Date();
  utimesSync(dir, now, now);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written above
  const inside = JSON.parse(readFileSync(join(dir, insideFile), 'utf8')) as Inside;
  return { ...filesOf(dir), ...inside };
}

/** What the host has recorded about the saved guest. */
type Inside = Pick<SavedState, 'census' | 'running'>;
const insideFile = 'inside.json';

function filesOf(dir: string): Pick<SavedState, 'memory' | 'devices'> {
  return { memory: join(dir, 'memory'), devices: join(dir, 'devices') };
}

/** A guest whose memory is that file: booted, or resumed from the state in which no command runs. */
async function unsaved(machine: Machine, options: BootOptions, running: Running | undefined, memory: string) {
  if (running === undefined) return bootMachine(machine, options, { file: memory, shared: true });
  const before = await savedState(machine, options);
  tool('cp', ['--sparse=always', before.memory, memory]);
  return resumeMachine(machine, options, { ...before, memory }, { shared: true });
}

/**
 * Removes states that nobody has used for a day, and others until the rest fits; a running guest keeps its state's
 * files.
 */
function makeRoom(capMb: number): void {
  const states = readdirSync(cacheDir())
    .filter((name) => name.startsWith('state-'))
    .map((name) => join(cacheDir(), name))
    .filter((path) => existsSync(join(path, 'memory')))
    .map((path) => ({
      path,
      usedMs: statSync(path).mtimeMs,
      mb: statSync(join(path, 'memory')).blocks / 2048,
    }))
    .sort((a, b) => b.usedMs - a.usedMs);
  let heldMb = 0;
  for (const { path, usedMs, mb } of states) {
    heldMb += mb;
    if (heldMb > capMb || Date.now() - usedMs > dayMs) rmSync(path, { recursive: true, force: true });
  }
}
