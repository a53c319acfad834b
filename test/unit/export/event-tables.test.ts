import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { eventTypes } from '../../../src/export/event-tables.ts';
import { packContents } from '../../../src/host/metadata/pack.ts';
import { openSession } from '../../../src/trace/session.ts';
import { recordingDir, sampleContents, scratchDir } from '../trace/samples.ts';
import { exportParquet } from '../../../src/export/parquet/export-parquet.ts';

/** The recording of A, with other names for some of its events. */
async function renamed(test: TestContext, names: Readonly<Record<string, string>>): Promise<string> {
  const contents = new Map(await sampleContents('A'));
  for (const [event, name] of Object.entries(names)) {
    const path = `events/sched/${event}/format`;
    const text = contents.get(path)!.toString('latin1').replace(`name: ${event}`, `name: ${name}`);
    contents.set(path, Buffer.from(text, 'latin1'));
  }
  const dir = recordingDir(test);
  writeFileSync(join(dir, 'metadata.tar.gz'), await packContents(contents));
  return dir;
}

describe('the event types of several machines', () => {
  it('are found by name, whatever ids their kernels gave them', async (test) => {
    const session = await openSession([
      await renamed(test, { sched_switch: 'a-b', sched_waking: 'c-d' }),
      await renamed(test, { sched_switch: 'c-d', sched_waking: 'a-b' }),
      await renamed(test, { sched_switch: 'a+b' }),
    ]);
    const types = eventTypes(session.machines);
    const fileOf = (name: string): string | undefined => types.get(`sched:${name}`)?.file;
    const idsOf = (name: string) => types.get(`sched:${name}`)?.formats.map(({ id }) => id);
    assert.deepEqual([fileOf('a-b'), idsOf('a-b')], ['sched.a_b.319', [319, 322]]);
    assert.deepEqual([fileOf('c-d'), idsOf('c-d')], ['sched.c_d.322', [322, 319]]);
    assert.deepEqual([fileOf('a+b'), idsOf('a+b')], ['sched.a_b.319.2', [319]]);
    assert.deepEqual([fileOf('sched_waking'), idsOf('sched_waking')], ['sched.sched_waking', [322]]);
    assert.deepEqual(idsOf('sched_wakeup'), [321, 321, 321]);
    const files = [...types.values()].map(({ file }) => file);
    assert.equal(new Set(files).size, files.length);

    const tables = join(scratchDir(test), 'tables');
    await exportParquet(session, tables, { filter: { events: ['sched'] } });
    await session.close();
    const odd = readdirSync(tables).filter((name) => /\d\.parquet$/.test(name));
    assert.deepEqual(
      new Set(odd),
      new Set(['a_b.319', 'c_d.322', 'a_b.319.2'].map((file) => `sched.${file}.parquet`)),
    );
  });
});
