import type { WriteStream } from 'node:tty';
import type { WriteText } from '../../print/report/report.ts';

/**
 * Writes bytes to a stream and waits for the write; throws its error, which `codeOfWriteError` handles. On a terminal,
 * shows control characters from the guest as `^X`, except line breaks and tabs.
 * @param paint adds colors afterwards
 */
export function textOutput(
  stream: WriteStream,
  paint: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes,
): WriteText {
  return (bytes) =>
    new Promise((resolve, reject) => {
      stream.write(paint(stream.isTTY ? visible(bytes) : bytes), (error) =>
        error ? reject(error) : resolve(),
      );
    });
}

function visible(bytes: Uint8Array): Uint8Array {
  const isHidden = (byte: number): boolean =>
    (byte < 0x20 && byte !== 0x0a && byte !== 0x09) || byte === 0x7f;
  // U+0080 to U+009F, which terminals also treat as control characters, are encoded as 0xc2 and one of these bytes
  const isC1 = (byte: number, index: number): boolean => byte === 0xc2 && (bytes[index + 1] ?? 0) < 0xa0;
  if (!bytes.some((byte, index) => isHidden(byte) || isC1(byte, index))) return bytes;
  const shown: number[] = [];
  for (const [index, byte] of bytes.entries()) {
    if (isHidden(byte)) shown.push(0x5e, byte ^ 0x40);
    else if (isC1(byte, index)) shown.push(0x3f);
    else shown.push(byte);
  }
  return Uint8Array.from(shown);
}
