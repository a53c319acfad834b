import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, fstatSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { makeSocketPair, receiveDescriptors, sendDescriptors } from '../../../../src/native/ipc/lending.ts';
import { makePipe } from '../../../../src/native/io/pipe.ts';
import { read, write } from '../../../../src/native/io/transfer.ts';

const closeOnExec = 0o2000000;
const lendingUrl = new URL('../../../../src/native/ipc/lending.js', import.meta.url).href;

function pair(test: TestContext) {
  const ends = makeSocketPair();
  test.after(() => {
    for (const fd of [ends.ours, ends.theirs]) {
      try {
        closeSync(fd);
      } catch {
        // the test has closed it
      }
    }
  });
  return ends;
}

function isCloseOnExec(fd: number): boolean {
  const [, flags = ''] = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')) ?? [];
  return (Number.parseInt(flags, 8) & closeOnExec) !== 0;
}

/** Number of open descriptors, including the one that reads them. */
function openCount(): number {
  return readdirSync('/proc/self/fd').length;
}

function opened(count: number): number[] {
  return Array.from({ length: count }, () => openSync('/dev/null', 'r'));
}

function close(fds: readonly number[]): void {
  for (const fd of fds) closeSync(fd);
}

describe('descriptors through a socket', () => {
  it('arrive with their text, as new numbers of the same open files, close-on-exec', (test) => {
    const { ours, theirs } = pair(test);
    assert.ok(isCloseOnExec(ours) && isCloseOnExec(theirs));
    const { readEnd, writeEnd } = makePipe();
    sendDescriptors(ours, '{"cpu":1}', [readEnd, writeEnd, readEnd]);
    const got = receiveDescriptors(theirs);
    assert.equal(got?.text, '{"cpu":1}');
    assert.equal(got.fds.length, 3);
    const [first = -1, second = -1, third = -1] = got.fds;
    assert.equal(new Set([readEnd, writeEnd, ...got.fds]).size, 5);
    assert.equal(fstatSync(first).ino, fstatSync(readEnd).ino);
    assert.ok(got.fds.every(isCloseOnExec));
    assert.equal(write(second, Buffer.from('x')), 1);
    const buffer = new Uint8Array(1);
    assert.equal(read(third, buffer), 1);
    assert.equal(String.fromCharCode(buffer[0] ?? 0), 'x');
    close([readEnd, writeEnd, ...got.fds]);
  });

  it('stay in the socket after their sender closed everything, and are closed with it if nobody receives them', (test) => {
    const before = openCount();
    const { ours, theirs } = pair(test);
    const pipe = makePipe();
    sendDescriptors(ours, 'a', [pipe.writeEnd]);
    close([ours, pipe.writeEnd]);
    const buffer = new Uint8Array(1);
    // EAGAIN: the other end is open
    assert.equal(read(pipe.readEnd, buffer), -11);
    close([theirs]);
    assert.equal(read(pipe.readEnd, buffer), 0, 'nobody has it any more');
    close([pipe.readEnd]);
    assert.equal(openCount(), before);
  });

  it('are none when nothing was sent, and when the sender has closed', (test) => {
    const { ours, theirs } = pair(test);
    assert.equal(receiveDescriptors(theirs), undefined);
    close([ours]);
    assert.equal(receiveDescriptors(theirs), undefined);
    assert.throws(() => sendDescriptors(theirs, 'a', [0]), { code: 'EPIPE' });
  });

  it('are limited to 8, with 1,024 bytes of text', (test) => {
    const { ours, theirs } = pair(test);
    const fds = opened(9);
    const most = 'ä'.repeat(512);
    sendDescriptors(ours, most, fds.slice(0, 8));
    const got = receiveDescriptors(theirs);
    assert.equal(got?.text, most);
    assert.equal(got.fds.length, 8);
    close(got.fds);
    assert.throws(() => sendDescriptors(ours, 'a', fds), { code: 'EMSGSIZE' });
    assert.throws(() => sendDescriptors(ours, `${most}a`, [0]), { code: 'EMSGSIZE' });
    assert.equal(receiveDescriptors(theirs), undefined, 'nothing of it was sent');
    close(fds);
  });

  it('that are invalid are refused, and nothing is sent', (test) => {
    const { ours, theirs } = pair(test);
    assert.throws(() => sendDescriptors(ours, 'a', [0, 1_000_000]), { code: 'EBADF' });
    assert.equal(receiveDescriptors(theirs), undefined);
  });

  it('are received all or none: a receiver at its limit gets an error, and closes those that arrived', () => {
    // the limit applies to a process, so this needs a separate process
    const script = `
      import { makeSocketPair, receiveDescriptors, sendDescriptors } from ${JSON.stringify(lendingUrl)};
      import { execFileSync } from 'node:child_process';
      import { readdirSync } from 'node:fs';
      const { ours, theirs } = makeSocketPair();
      sendDescriptors(ours, 'a', [0, 1, 2, 0, 1, 2, 0, 1]);
      const open = () => readdirSync('/proc/self/fd').length;
      // descriptors that Node opens to start a program stay open
      execFileSync('true');
      const before = open();
      const taken = new Set(readdirSync('/proc/self/fd').map(Number));
      let limit = 0;
      for (let free = 0; free < 5; limit += 1) if (!taken.has(limit)) free += 1;
      execFileSync('prlimit', ['--pid=' + process.pid, '--nofile=' + limit + ':']);
      let code = '';
      try { receiveDescriptors(theirs); } catch (error) { code = error.code; }
      console.log(code, open() - before);`;
    const said = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    assert.equal(said, 'EMSGSIZE 0\n');
  });

  it('leave nothing behind, however many there were', (test) => {
    const { ours, theirs } = pair(test);
    const before = openCount();
    for (let time = 0; time < 1000; time += 1) {
      sendDescriptors(ours, String(time), [0, 1, 2]);
      const got = receiveDescriptors(theirs);
      assert.equal(got?.text, String(time));
      close(got.fds);
    }
    assert.equal(openCount(), before);
  });
});
