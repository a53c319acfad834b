import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { EventObject } from '../../../src/trace/events/trace-event.ts';
import type { EventFilter, Trace } from '../../../src/trace/open.ts';
import { recordingDir } from '../trace/samples.ts';

/** What a task called `sleep` in A is called here: what CSV and JSON must quote, a control character, and no UTF-8. */
export const oddName = 'a",\n\x1b';

/** The recording of A, in whose events the text `sleep` is five other bytes. */
export function oddRecording(test: TestContext): string {
  const dir = recordingDir(test);
  for (const cpu of [0, 1]) {
    const path = join(dir, `cpu${cpu}.raw`);
    const bytes = readFileSync(path);
    for (let at = bytes.indexOf('sleep'); at >= 0; at = bytes.indexOf('sleep', at))
      bytes.write(oddName, at, 'latin1');
    writeFileSync(path, bytes);
  }
  return dir;
}

export async function objectsOf(trace: Trace, filter: EventFilter = {}): Promise<EventObject[]> {
  const objects: EventObject[] = [];
  for await (const batch of trace.events(filter)) for (const event of batch) objects.push(event.toObject());
  return objects;
}
