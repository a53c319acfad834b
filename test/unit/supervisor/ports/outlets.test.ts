import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { makePipe } from '../../../../src/native/io/pipe.ts';
import { inheritedOutlets } from '../../../../src/supervisor/ports/outlets.ts';
import { makeFifo } from '../../../../src/native/io/fifo.ts';

const outlets = new URL('../../../../src/supervisor/ports/outlets.js', import.meta.url).href;

/** The result of opening stdout as an outlet, in a process with this `stdout`. */
function opened(stdout: number): string {
  const script = `const { stdoutOutlets } = await import(${JSON.stringify(outlets)});
    try { stdoutOutlets(false).open(0); console.error('opened'); }
    catch (error) { console.error(error.name + ': ' + error.message + ' — ' + error.remedy); }`;
  const args = ['--input-type=module', '-e', script];
  return spawnSync(process.execPath, args, { stdio: ['ignore', stdout, 'pipe'], encoding: 'utf8' }).stderr;
}

describe('stdout as an outlet', () => {
  it('may be a FIFO; one without a reader is waited for like a port', (test) => {
    const dir = mkdtempSync(join(tmpdir(), 'outlets-'));
    test.after(() => rmSync(dir, { recursive: true }));
    const path = join(dir, 'fifo');
    makeFifo(path, 0o600);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(path, constants.O_WRONLY);
    assert.equal(opened(writer), 'opened\n');
    closeSync(reader);
    assert.equal(opened(writer), 'Failure: stdout is a FIFO without a reader — start its reader\n');
    closeSync(writer);
  });
});

describe('inherited outlets', () => {
  it('are files that keep one position, whoever writes', (test) => {
    const dir = mkdtempSync(join(tmpdir(), 'outlets-'));
    test.after(() => rmSync(dir, { recursive: true }));
    const path = join(dir, 'cpu3.raw');
    const file = openSync(path, 'wx');
    const outlets = inheritedOutlets(new Map([[3, file]]));
    assert.equal(outlets.outlet, 'file');
    for (const text of ['first ', 'second']) {
      const fd = outlets.open(3);
      writeSync(fd, text);
      closeSync(fd);
    }
    closeSync(file);
    assert.equal(readFileSync(path, 'utf8'), 'first second');
  });

  it('or pipes; there is none for another CPU', () => {
    const { readEnd, writeEnd } = makePipe();
    const outlets = inheritedOutlets(new Map([[3, writeEnd]]));
    assert.equal(outlets.outlet, 'splice');
    assert.throws(() => outlets.open(4), { message: 'no outlet for CPU 4' });
    for (const fd of [outlets.open(3), readEnd, writeEnd]) closeSync(fd);
  });
});
