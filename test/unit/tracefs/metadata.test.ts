import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { readTextSymbols } from '../../../src/tracefs/metadata.ts';

describe('kallsyms', () => {
  let dir = '';
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'kallsyms-'));
  });
  after(() => rmSync(dir, { recursive: true }));

  const symbolsOf = async (text: string): Promise<string | undefined> => {
    const path = join(dir, 'kallsyms');
    writeFileSync(path, text);
    return (await readTextSymbols(path))?.toString('latin1');
  };

  it('is cut down to functions, those of modules with their module', async () => {
    const text = `0000000000000000 A fixed_percpu_data
ffffffff81000000 T _text
ffffffff81000010 t local
ffffffff81000020 W weak
ffffffff81000030 w weak_too
ffffffff82000000 D data
ffffffffc0215000 t vring_del_virtqueue\t[virtio_ring]
ffffffffc0216000 r t T
`;
    assert.equal(
      await symbolsOf(text),
      `ffffffff81000000 T _text
ffffffff81000010 t local
ffffffff81000020 W weak
ffffffff81000030 w weak_too
ffffffffc0215000 t vring_del_virtqueue\t[virtio_ring]
`,
    );
  });

  it('keeps every line whole across the slices that it is read in', async () => {
    const lines = Array.from(
      { length: 20_000 },
      (_, i) => `ffffffff81${i.toString(16).padStart(6, '0')} t f${i}\n`,
    );
    assert.equal(await symbolsOf(lines.join('')), lines.join(''));
  });

  it('with hidden addresses, empty or absent is as good as none', async () => {
    assert.equal(await symbolsOf('0000000000000000 T _text\n0000000000000000 t local\n'), undefined);
    assert.equal(await symbolsOf(''), undefined);
    assert.equal(await readTextSymbols(join(dir, 'absent')), undefined);
  });
});
