import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openShown, readTextSymbols } from '../../../../src/tracefs/metadata/kernel-symbols.ts';

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

  it('is reduced to functions, those of modules with their module', async () => {
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

  it('keeps lines whole that are split between reads', async () => {
    const lines = Array.from(
      { length: 20_000 },
      (_, i) => `ffffffff81${i.toString(16).padStart(6, '0')} t f${i}\n`,
    );
    assert.equal(await symbolsOf(lines.join('')), lines.join(''));
  });

  it('with hidden addresses, empty or missing counts as none', async () => {
    assert.equal(await symbolsOf('0000000000000000 T _text\n0000000000000000 t local\n'), undefined);
    assert.equal(await symbolsOf(''), undefined);
    assert.equal(await readTextSymbols(join(dir, 'absent')), undefined);
  });

  it('hidden from everybody is shown while the file is being opened', () => {
    const restrict = join(dir, 'kptr_restrict');
    for (const [before, during] of [
      ['2\n', '1'],
      ['1\n', '1\n'],
      ['0\n', '0\n'],
    ] as const) {
      writeFileSync(restrict, before);
      const look = (): number => {
        assert.equal(readFileSync(restrict, 'utf8'), during);
        return 77;
      };
      assert.equal(openShown(look, restrict), 77);
      assert.equal(readFileSync(restrict, 'utf8').trim(), before.trim());
    }
    writeFileSync(restrict, '2\n');
    const fail = (): number => {
      throw new Error('not opened');
    };
    assert.throws(() => openShown(fail, restrict), /not opened/);
    assert.equal(readFileSync(restrict, 'utf8').trim(), '2');
    assert.equal(
      openShown(() => 78, join(dir, 'absent')),
      78,
    );
  });
});
