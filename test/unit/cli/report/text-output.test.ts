import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import test from 'node:test';
import type { WriteStream } from 'node:tty';
import { textOutput } from '../../../../src/cli/report/text-output.ts';

async function written(isTTY: boolean, bytes: Uint8Array): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const stream = new Writable({
    write: (piece: Buffer, _, done) => {
      pieces.push(Buffer.from(piece));
      done();
    },
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- all that is used of it
  await textOutput(Object.assign(stream, { isTTY }) as unknown as WriteStream)(bytes);
  return Buffer.concat(pieces);
}

const everything = Uint8Array.from({ length: 256 }, (_, byte) => byte);

test('elsewhere than on a terminal bytes stay as they are', async () => {
  assert.deepEqual(await written(false, everything), Buffer.from(everything));
});

test('on a terminal control characters are shown, except line breaks and tabs', async () => {
  const shown = await written(true, Buffer.from('a\x1b[31mb\x07\0\x7f\r\n\tc'));
  assert.equal(shown.toString('latin1'), 'a^[[31mb^G^@^?^M\n\tc');
  const found = await written(true, everything);
  assert.deepEqual(
    [...found].filter((byte) => (byte < 0x20 && byte !== 0x0a && byte !== 0x09) || byte === 0x7f),
    [],
  );
});

test('on a terminal no C1 control character remains, and other texts stay', async () => {
  assert.equal((await written(true, Buffer.from('a\u009b31mb'))).indexOf(Buffer.from('\u009b')), -1);
  for (const text of ['é ü ¿', '日本', '⏎', 'plain'])
    assert.equal((await written(true, Buffer.from(text))).toString(), text);
});
