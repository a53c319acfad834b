import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Agent } from './agent.ts';
import type { MarkerWriter } from './markers.ts';
import type { Scene } from './scene.ts';

/** A destination for stdout. */
export interface Sink {
  /** A descriptor for the agent; the test closes it. */
  open(scene: Scene): number;
  /** The data that has arrived in it. */
  received(scene: Scene): Uint8Array;
}

const inFront = 'what the file had before';

export const sinks: Readonly<Record<string, Sink>> = {
  'a pipe': {
    open: (scene) => {
      const fifo = scene.addFifo('out');
      fifo.read();
      return openSync(fifo.path, 'w');
    },
    received: (scene) => readFileSync(join(scene.dir, 'out.received')),
  },
  'a file': {
    open: (scene) => openSync(join(scene.dir, 'out'), 'w'),
    received: (scene) => readFileSync(join(scene.dir, 'out')),
  },
  'a file opened to append': {
    open: (scene) => {
      const path = join(scene.dir, 'out');
      writeFileSync(path, inFront);
      return openSync(path, 'a');
    },
    received: (scene) => {
      const all = readFileSync(join(scene.dir, 'out'));
      assert.equal(all.toString('latin1', 0, inFront.length), inFront, 'what was there stays in front');
      return all.subarray(inFront.length);
    },
  },
};

/** Starts `trace-agent -o` into a sink. */
export function startInto(sink: Sink, scene: Scene, args: readonly string[] = []): Agent {
  const fd = sink.open(scene);
  try {
    return scene.start(['-o', ...args], { stdout: fd });
  } finally {
    closeSync(fd);
  }
}

export async function load(writers: readonly MarkerWriter[], ms: number): Promise<void> {
  // on a busy machine a process is slow to start
  for (const writer of writers) await writer.write(1);
  for (const writer of writers) writer.run(8000, 400);
  await sleep(ms);
  for (const writer of writers) await writer.halt();
}
