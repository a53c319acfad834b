import { readFileSync } from 'node:fs';
import { cached } from './cached.ts';
import { tool } from './tool.ts';

const xzMagic = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]);

/**
 * Path of the ELF kernel inside Debian's xz-compressed bzImage: QEMU enters it directly (PVH), which saves at each
 * boot the seconds that an emulated CPU needs to unpack it. If that is not possible, the path of the image itself.
 * Blocks.
 */
export function vmlinux(name: string, image: string): string {
  const start = readFileSync(image).indexOf(xzMagic);
  if (start < 0) return image;
  return cached(`vmlinux-${name}`, (path) => {
    const unpack = 'tail -c +"$1" "$2" | xz -dc --single-stream >"$3"';
    tool('sh', ['-ec', unpack, 'sh', String(start + 1), image, path]);
  });
}
