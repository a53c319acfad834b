/** Replaces src/serve/http/read-page.ts: the page is in the executable, as an object of paths and base64. */
import { getAsset } from 'node:sea';

export function readPageFiles(): readonly (readonly [path: string, body: Buffer])[] {
  const files: Readonly<Record<string, string>> = JSON.parse(getAsset('page.json', 'utf8'));
  return Object.entries(files).map(([path, body]) => [path, Buffer.from(body, 'base64')]);
}
