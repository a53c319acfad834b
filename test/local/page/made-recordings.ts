import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { traceHost } from '../../guest/support/trace-host.ts';
import { plainGuest, plainHost } from '../../simulator/session/options.ts';
import { simulateSession } from '../../simulator/session/simulate.ts';
import { writeSession } from '../../simulator/session/trace/session-files.ts';
import { hostileNames } from './made-frame.ts';
import type { ServedRecording } from './page-server.ts';

interface ListedMachine {
  readonly name: string | null;
  readonly host: boolean;
  readonly file: string;
  readonly bytes: number;
  readonly cpus: number;
}

/** Runs for a while under a name, sleeping most of the time. */
function named(name: string): () => void {
  const script = `printf %s "$NAME" > /proc/$$/comm; while sleep 0.01; do :; done`;
  const child = spawn('bash', ['-c', script], { env: { ...process.env, NAME: name }, stdio: 'ignore' });
  return () => void child.kill();
}

/** Records this host for a second, with tasks whose names are markup and terminal codes. */
export async function recordHost(dir: string): Promise<ServedRecording> {
  const path = join(dir, 'host.dat');
  const stop = hostileNames.map((name) => named(name));
  try {
    const run = await traceHost(
      'record',
      '--host',
      '-e',
      'sched',
      '-e',
      'irq',
      '--duration',
      '1s',
      '-o',
      path,
      '--json',
    );
    if (run.code !== 0) throw new Error(run.stderr);
  } finally {
    for (const each of stop) each();
  }
  return served('host', path, [{ name: null, host: true, file: 'host.dat', bytes: 1 << 20, cpus: 2 }]);
}

/** Recordings of a simulated host and two guests, one of which is paused for 30 ms. */
export async function simulatedRecording(
  dir: string,
  durationNs = 3e8,
  exitEveryNs = plainGuest.exitEveryNs,
): Promise<ServedRecording> {
  const guests = ['web', 'db'].map((name) => ({
    ...plainGuest,
    name,
    exitEveryNs,
    pauses: name === 'web' ? [{ at: 2e8, ns: 3e7 }] : [],
  }));
  const own = join(dir, 'simulated');
  mkdirSync(own);
  const session = simulateSession({ seed: 1, durationNs, host: { ...plainHost, hogs: 2 }, guests });
  return served('simulated', await writeSession(own, session), [
    { name: null, host: true, file: 's.dat', bytes: 3 << 20, cpus: 4 },
    ...guests.map(({ name }) => ({ name, host: false, file: `s-${name}.dat`, bytes: 2 << 20, cpus: 2 })),
  ]);
}

function served(id: string, path: string, machines: readonly ListedMachine[]): ServedRecording {
  const bytes = machines.reduce((sum, machine) => sum + machine.bytes, 0);
  const isHost = id === 'host';
  return {
    id,
    path,
    listed: {
      id,
      createdAt: isHost ? '2026-11-30T23:11:08Z' : '2026-12-01T01:20:00Z',
      bytes,
      spanNs: isHost ? 1_000_000_000 : 300_000_000,
      lostBytes: 0,
      overrun: isHost ? 12 : 0,
      whole: true,
      state: 'done',
      error: isHost ? null : `web: ${hostileNames[0]} is not a task of this guest`,
      machines,
    },
  };
}
