/** Replaces the package @bokuweb/zstd-wasm, which reads its .wasm file from next to its script. */
import { getRawAsset } from 'node:sea';
import { Module, waitInitialized } from '../../../node_modules/@bokuweb/zstd-wasm/dist/common/module.js';

export { compress } from '../../../node_modules/@bokuweb/zstd-wasm/dist/common/simple/compress.js';
export { decompress } from '../../../node_modules/@bokuweb/zstd-wasm/dist/common/simple/decompress.js';

export function init(): Promise<void> {
  Module.init(getRawAsset('zstd.wasm'));
  return waitInitialized();
}
