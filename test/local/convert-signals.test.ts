import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fixture } from '../unit/trace/fixtures.ts';
import { scratchDir } from '../unit/trace/samples.ts';

const program = fileURLToPath(new URL('../../bin/trace-host.js', import.meta.url));
/** Pages without events, which take no space on the disk; compressing them takes a few seconds. */
const rawBytes = 512 * 1024 * 1024;

describe('trace-host convert', () => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    it(`leaves no partial file behind at ${signal}`, { timeout: 60_000 }, async (test) => {
      const dir = scratchDir(test);
      writeFileSync(join(dir, 'cpu0.raw'), '');
      truncateSync(join(dir, 'cpu0.raw'), rawBytes);
      writeFileSync(join(dir, 'metadata.tar.gz'), fixture('A/meta.tar.gz', 'packed'));
      const before = readdirSync(dir).sort();
      const words = ['convert', 'cpu0.raw', '--metadata', 'metadata.tar.gz', '--compress', 'zstd'];
      const child = spawn(process.execPath, [program, ...words], {
        cwd: dir,
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      test.after(() => child.kill('SIGKILL'));
      while (!readdirSync(dir).some((name) => name.endsWith('.tmp'))) {
        assert.equal(child.exitCode, null, 'it is done already');
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      child.kill(signal);
      const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
      assert.deepEqual([code, said], [1, 'trace-host: interrupted; nothing was written\n']);
      assert.deepEqual(readdirSync(dir).sort(), before);
    });
  }
});
