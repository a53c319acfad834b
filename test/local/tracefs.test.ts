// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, constants, existsSync, mkdtempSync, readFileSync, readSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCode, Failure } from '../../src/base/failure.ts';
import { ensureInstance, removeInstance } from '../../src/tracefs/instance.ts';
import { locateTracefs } from '../../src/tracefs/locate.ts';
import { Tracefs } from '../../src/tracefs/tracefs.ts';
import { ownInstance, tracefsSkip } from './tracefs-support.ts';

const skip = tracefsSkip();

describe('locateTracefs', { skip }, () => {
  it('finds the mounted one, also when its path is given', () => {
    const root = locateTracefs();
    assert.ok(existsSync(join(root, 'trace_clock')));
    assert.equal(locateTracefs(root), root);
  });

  it('refuses a directory of another file system, and a missing one', () => {
    const plain = mkdtempSync(join(tmpdir(), 'no-tracefs-'));
    try {
      for (const place of [plain, join(plain, 'absent')]) {
        assert.throws(() => locateTracefs(place), failure(exitCode.missing, place, /mount -t tracefs/));
      }
    } finally {
      rmdirSync(plain);
    }
  });

  it('tells an unprivileged user to run as root', () => {
    const program = `import(${JSON.stringify(new URL('../../src/tracefs/locate.js', import.meta.url).href)})
      .then(({ locateTracefs }) => { process.setgid(65534); process.setgroups([]); process.setuid(65534); locateTracefs(); })
      .catch((error) => { console.log(error.exitCode, error.message, error.remedy); });`;
    const { stdout } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' });
    assert.equal(
      stdout.trim(),
      `${exitCode.notPermitted} cannot read ${locateTracefs()}: permission denied run as root`,
    );
  });
});

describe('a ring', { skip }, () => {
  const own = ownInstance();

  it('exists as a directory for every CPU that may come online', () => {
    const possible = readFileSync('/sys/devices/system/cpu/possible', 'utf8').trim();
    const last = Number(/^0(?:-(\d+))?$/.exec(possible)?.[1] ?? 0);
    assert.deepEqual(
      own.tracefs.cpus(),
      Array.from({ length: last + 1 }, (_, cpu) => cpu),
    );
  });

  it('opens non-blocking, close-on-exec and read-only', () => {
    const fd = own.tracefs.openRing(0);
    try {
      const flags = /^flags:\t(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '';
      // O_CLOEXEC of x86 and arm64, for which node:fs has no constant.
      const wanted = constants.O_RDONLY | constants.O_NONBLOCK | 0o2000000;
      assert.equal(Number.parseInt(flags, 8) & (wanted | constants.O_WRONLY | constants.O_RDWR), wanted);
    } finally {
      closeSync(fd);
    }
  });

  it('of a CPU that does not exist is a failure that names the file', () => {
    assert.throws(
      () => own.tracefs.openRing(4_096),
      failure(exitCode.missing, 'per_cpu/cpu4096/trace_pipe_raw', /^$/),
    );
  });

  for (const subBufferKb of [4, 8]) {
    it(`of ${subBufferKb} KB sub-buffers yields pages of that size, up to the number that ringPages returns`, (context) => {
      const { tracefs } = own;
      if (tracefs.readIfThere('buffer_subbuf_size_kb') === undefined) {
        context.skip('kernels before 6.8 have one sub-buffer size');
        return;
      }
      tracefs.write('buffer_subbuf_size_kb', String(subBufferKb));
      tracefs.write('buffer_size_kb', '64');
      assert.equal(tracefs.pageBytes(), subBufferKb * 1024);
      assert.equal(new Tracefs(tracefs.root).pageBytes(), 4096, 'the top-level size is another');

      tracefs.write('tracing_on', '1');
      const before = totals(tracefs);
      for (let marker = 0; marker < 1_000; marker++)
        tracefs.write('trace_marker', `${marker}`.padEnd(500, 'x'));
      tracefs.write('tracing_on', '0');
      const full = totals(tracefs);
      assert.ok(full.overrun > before.overrun, 'the ring ran over');
      assert.equal(full.entries + full.overrun - before.overrun, 1_000);
      const busiest =
        tracefs.cpus().toSorted((a, b) => tracefs.stats(b).entries - tracefs.stats(a).entries)[0] ?? 0;

      const pages = drain(tracefs, busiest);
      const expected = tracefs.ringPages(busiest);
      assert.ok(pages <= expected && pages >= expected - 2, `${pages} pages of ${expected}`);
      assert.equal(tracefs.stats(busiest).entries, 0);
      assert.ok(tracefs.stats(busiest).readEvents > 0);
      assert.match(tracefs.stats(busiest).nowTs, /^\d+\.\d+$/);
      for (const cpu of tracefs.cpus()) drain(tracefs, cpu);
    });
  }
});

describe('instances', { skip }, () => {
  const name = `vt-test-${process.pid}-made`;

  it('are created once, remembered as created, and removed', async () => {
    const root = locateTracefs();
    assert.deepEqual(ensureInstance(root, name), { name, made: true });
    assert.deepEqual(ensureInstance(root, name), { name, made: false });
    await removeInstance(root, name);
    assert.ok(!existsSync(join(root, 'instances', name)));
    await removeInstance(root, name);
  });

  it('are removed once the last descriptor is closed', async () => {
    const root = locateTracefs();
    ensureInstance(root, name);
    const fd = new Tracefs(root, name).openRing(0);
    const closeLater = async (): Promise<void> => {
      await sleep(100);
      assert.ok(existsSync(join(root, 'instances', name)));
      closeSync(fd);
    };
    await Promise.all([removeInstance(root, name), closeLater()]);
    assert.ok(!existsSync(join(root, 'instances', name)));
  });

  it('that cannot be created or have an invalid name are failures with a remedy', () => {
    const root = locateTracefs();
    assert.throws(() => ensureInstance(root, '../x'), failure(exitCode.usage, '"../x"', /^$/));
    assert.throws(
      () => ensureInstance(join(root, 'events'), name),
      failure(exitCode.missing, name, /trace without --instance/),
    );
  });
});

function failure(code: number, message: string, remedy: RegExp) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof Failure, String(error));
    assert.equal(error.exitCode, code);
    assert.ok(error.message.includes(message), error.message);
    assert.match(error.remedy, remedy);
    assert.doesNotMatch(error.message + error.remedy, /\n/);
    return true;
  };
}

function totals(tracefs: Tracefs): { entries: number; overrun: number } {
  const all = tracefs.cpus().map((cpu) => tracefs.stats(cpu));
  return {
    entries: all.reduce((sum, { entries }) => sum + entries, 0),
    overrun: all.reduce((sum, { overrun }) => sum + overrun, 0),
  };
}

/** Reads page by page until the ring is empty. @returns the number of pages */
function drain(tracefs: Tracefs, cpu: number): number {
  const fd = tracefs.openRing(cpu);
  const page = Buffer.alloc(tracefs.pageBytes());
  try {
    for (let pages = 0; ; pages++) {
      try {
        assert.equal(readSync(fd, page), page.length);
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return pages;
        throw error;
      }
    }
  } finally {
    closeSync(fd);
  }
}
