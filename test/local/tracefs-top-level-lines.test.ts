// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import type { Applied } from '../../src/tracefs/settings/applied.ts';
import { applySettings } from '../../src/tracefs/settings/apply.ts';
import { ensureInstance, removeInstance } from '../../src/tracefs/instance.ts';
import { SettingsError } from '../../src/tracefs/settings/settings-error.ts';
import { Tracefs } from '../../src/tracefs/tracefs.ts';
import { holdMachine } from './harness/machine-lock.ts';
import { ownInstance, tracefsSkip } from './tracefs-support.ts';

const skip = tracefsSkip();
const copyMarker = 'options/copy_trace_marker';
const printkDest = 'options/trace_printk_dest';

describe('lines that the kernel writes to the top level', { skip }, () => {
  holdMachine();
  const own = ownInstance();
  let applied: Applied | undefined;
  afterEach(() => {
    applied?.restore();
    applied = undefined;
  });
  const lacks = (file: string): boolean => own.tracefs.readIfThere(file) === undefined;

  it('markers are copied while an instance is traced, and never refused', (context) => {
    if (lacks(copyMarker)) {
      context.skip(`this kernel has no ${copyMarker}`);
      return;
    }
    const { tracefs } = own;
    const marker = join(tracefs.root, 'trace_marker');
    tracefs.write('tracing_on', '0');
    writeFileSync(marker, 'before\n');
    applied = applySettings(tracefs, { events: ['sched:sched_process_exec'] });
    writeFileSync(marker, 'copied marker\n');
    assert.deepEqual(applied.quiesce(), []);
    assert.equal(tracefs.tracingOn(), false);
    // the kernel would refuse this if an instance with copies had tracing off
    writeFileSync(marker, 'after\n');
    assert.equal(tracefs.read(copyMarker).trim(), '0');
    const lines = tracefs.read('trace').match(/tracing_mark_write: .*/g);
    assert.deepEqual(lines, ['tracing_mark_write: copied marker']);
  });

  it('copies that were enabled before stay, and settings that trace nothing enable none', (context) => {
    if (lacks(copyMarker)) {
      context.skip(`this kernel has no ${copyMarker}`);
      return;
    }
    const { tracefs } = own;
    applied = applySettings(tracefs, { bufferPercent: 3 });
    assert.equal(tracefs.read(copyMarker).trim(), '0');
    applied.restore();
    tracefs.write('tracing_on', '1');
    tracefs.write(copyMarker, '1');
    applied = applySettings(tracefs, { events: ['sched:sched_process_exec'] });
    applied.restore();
    assert.equal(tracefs.read(copyMarker).trim(), '1');
    tracefs.write(copyMarker, '0');
  });

  it('trace_printk is redirected on request, and restored to the previous instance', async (context) => {
    if (lacks(printkDest)) {
      context.skip(`this kernel has no ${printkDest}`);
      return;
    }
    const { tracefs } = own;
    const top = new Tracefs(tracefs.root);
    const other = new Tracefs(tracefs.root, `${tracefs.instance}-other`);
    const holder = () =>
      [top, other, tracefs].map((each) => each.readIfThere(printkDest)?.trim() ?? '-').join('');
    ensureInstance(tracefs.root, other.instance!);
    try {
      applied = applySettings(tracefs, { events: ['sched:sched_process_exec'] });
      assert.equal(holder(), '100', 'not without being asked');
      applied.restore();
      const take = () => (applied = applySettings(tracefs, { events: ['irq'], printk: true }));
      assert.deepEqual([take() && holder(), applied?.restore(), holder()], ['001', [], '100']);
      other.write(printkDest, '1');
      assert.deepEqual([take() && holder(), applied?.restore(), holder()], ['001', [], '010']);
      take();
      other.write(printkDest, '1');
      assert.deepEqual([applied?.restore(), holder()], [[], '010'], 'somebody took it meanwhile');
      take();
      await removeInstance(tracefs.root, other.instance!);
      assert.deepEqual([applied?.restore(), holder()], [[], '1-0'], 'who had it is gone');
    } finally {
      await removeInstance(tracefs.root, other.instance!);
      if (top.read(printkDest).trim() !== '1') top.write(printkDest, '1');
    }
  });

  it('trace_printk is refused if the kernel does not support it, before anything is changed', (context) => {
    if (!lacks(printkDest)) {
      context.skip(`this kernel has ${printkDest}`);
      return;
    }
    assert.throws(
      () => applySettings(own.tracefs, { bufferPercent: 3, printk: true }),
      (error) =>
        error instanceof SettingsError && error.code === 'bad-value' && /before 6\.12/.test(error.message),
    );
  });
});
