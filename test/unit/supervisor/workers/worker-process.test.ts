import assert from 'node:assert/strict';
import { ChildProcess } from 'node:child_process';
import { openSync, closeSync } from 'node:fs';
import { describe, it } from 'node:test';
import { type WorkerEnd, WorkerProcess } from '../../../../src/supervisor/workers/worker-process.ts';

describe('a worker that cannot be forked', () => {
  it('is reported as such, and no signal is sent, whatever it is ordered meanwhile', async (test) => {
    const { execPath } = process;
    test.after(() => {
      process.execPath = execPath;
    });
    // a fork that fails because of the process limit is reported in the same way: later, and without a pid
    process.execPath = '/nonexistent/node';
    const pipes = (): number => process.getActiveResourcesInfo().filter((name) => name === 'PipeWrap').length;
    const before = pipes();
    const kills = test.mock.method(ChildProcess.prototype, 'kill', () => true);
    const fd = openSync('/dev/null', 'r');
    const end = await new Promise<WorkerEnd>((resolve) => {
      const worker = new WorkerProcess(
        { outlet: 'splice', flushIntervalMs: 0, stopTimeoutMs: 1000, identity: undefined },
        undefined,
        { heard: () => assert.fail('nobody is there to say anything'), ended: resolve },
      );
      assert.equal(worker.pid, undefined);
      const lent = { ring: fd, pipeRead: fd, pipeWrite: fd, port: fd, ledger: fd, turn: undefined };
      worker.serve({ cpu: 0, pageBytes: 4096, pipePages: 16 }, lent);
      worker.kill();
      worker.forsake();
    });
    closeSync(fd);
    // the channel of a failed child is closed in a later turn; other tests share this process
    for (let turns = 0; pipes() > before && turns < 1000; turns += 1) await new Promise(setImmediate);
    assert.deepEqual(end, { kind: 'not-forked', code: 'ENOENT' });
    assert.equal(kills.mock.callCount(), 0, 'Node would signal whatever pid its memory holds');
  });
});
