import assert from 'node:assert/strict';
import { execFileSync, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { exitCode } from '../../src/base/failure.ts';
import { version } from '../../src/base/version.ts';
import { convert } from '../../src/trace/convert/convert.ts';
import { repoRoot } from '../repo-root.ts';
import { sampleMetadata, samplePages, writeRaws } from '../unit/trace/samples.ts';

describe("npm's package, installed in an empty directory", () => {
  let dir: string;

  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'virtio-trace-package-'));
    // prepack would compile the files that this test runs from.
    const pack = ['pack', '--silent', '--ignore-scripts', '--pack-destination', dir];
    execFileSync('npm', pack, { cwd: repoRoot, stdio: 'ignore' });
    const archive = readdirSync(dir).find((name) => name.endsWith('.tgz')) ?? '';
    const install = [
      'install',
      '--prefer-offline',
      '--no-audit',
      '--no-fund',
      '--omit=dev',
      join(dir, archive),
    ];
    mkdirSync(join(dir, 'prefix'));
    execFileSync('npm', [...install, '--prefix', join(dir, 'prefix')], {
      cwd: dir,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  });

  after(() => rmSync(dir, { recursive: true, force: true }));

  function run(program: string, ...args: string[]): string {
    const path = join(dir, 'prefix/node_modules/.bin', program);
    const { status, stdout, stderr } = spawnSync(path, args, { cwd: dir, encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return stdout;
  }

  it('has programs that run', () => {
    for (const program of ['trace-agent', 'trace-host']) {
      assert.equal(run(program, '--version'), `${version}\n`);
      assert.match(run(program, '--help'), new RegExp(`^Usage: ${program} `));
    }
  });

  it('names the package that queries need', () => {
    const path = join(dir, 'prefix/node_modules/.bin/trace-host');
    const { status, stderr } = spawnSync(path, ['query', 'trace.dat', 'select 1'], {
      cwd: dir,
      encoding: 'utf8',
    });
    assert.equal(status, exitCode.missing);
    assert.match(stderr, /needs the npm package @duckdb\/node-api — run npm install @duckdb\/node-api/);
  });

  it('passes publint and attw', () => {
    const [archive = ''] = readdirSync(dir).filter((name) => name.endsWith('.tgz'));
    for (const [tool, ...args] of [
      ['publint', 'run', '--strict', '--level', 'warning'],
      // the package has no CommonJS form
      ['attw', '--profile', 'esm-only', '--no-emoji', '--no-color'],
    ] as const) {
      const path = join(repoRoot, 'node_modules/.bin', tool);
      const { status, stdout, stderr } = spawnSync(path, [...args, join(dir, archive)], { encoding: 'utf8' });
      assert.equal(status, 0, `${tool}: ${stdout}${stderr}`);
    }
  });

  describe('as a library', () => {
    const examples = [
      ...readFileSync(join(repoRoot, 'docs/library.md'), 'utf8').matchAll(/^```js\n(.*?)^```$/gms),
    ].map(([, source = '']) => source);

    before(async () => {
      const metadata = await sampleMetadata('A');
      const cpus = writeRaws(dir, samplePages('A'));
      const guests = [{ name: 'web', traceId: 2n, vcpuTids: new Map([[0, 100]]) }];
      await convert({ cpus, metadata, out: join(dir, 'prefix/trace.dat'), traceId: 1n, guests });
      const timeShift = { peerId: 1n, interpolates: true, cpus: [] };
      await convert({ cpus, metadata, out: join(dir, 'prefix/trace-web.dat'), traceId: 2n, timeShift });
      for (const [index, source] of examples.entries())
        writeFileSync(join(dir, `prefix/example-${index}.mjs`), source);
    });

    function runExample(index: number): SpawnSyncReturns<string> {
      return spawnSync(process.execPath, [`example-${index}.mjs`], {
        cwd: join(dir, 'prefix'),
        encoding: 'utf8',
        maxBuffer: 64 << 20,
      });
    }

    it('runs the examples of docs/library.md', () => {
      assert.equal(examples.length, 9);
      const [events, switches, session, content, summary, explained, perfetto, waits, failure] = examples.map(
        (_, index) => runExample(index),
      );
      for (const { status, stderr } of [
        events!,
        switches!,
        session!,
        content!,
        summary!,
        explained!,
        perfetto!,
        waits!,
      ])
        assert.equal(status, 0, stderr);
      const lines = events!.stdout.trimEnd().split('\n');
      assert.equal(lines.length, 12_336 + 9507);
      assert.match(lines[0]!, /^\d+n [01] \S.* \d+ \w+:\w+$/);
      const onCpu0 = lines.filter((line) => /^\d+n 0 .* sched:sched_switch$/.test(line)).length;
      const counts = switches!.stdout
        .trimEnd()
        .split('\n')
        .map((line) => Number(line.split(' ')[0]));
      assert.ok(onCpu0 > 0);
      const [host, guest, ...merged] = session!.stdout.trimEnd().split('\n');
      assert.deepEqual([host, guest], ['host true', 'web true']);
      assert.deepEqual(
        ['host', 'web'].map((name) => merged.filter((line) => line.includes(` ${name} 0 `)).length),
        [onCpu0, onCpu0],
      );
      assert.equal(
        counts.reduce((sum, count) => sum + count, 0),
        onCpu0,
      );
      assert.match(
        content!.stdout,
        /clock: 'global'.*^pid_t next_pid$.*^top level: 21843 events, 35899 lost$/ms,
      );
      assert.match(
        summary!.stdout,
        /^(\S.*:\d+ ran \d+\.\d+ ms\n){3}\d+ wakeups, the longest took \d+\.\d+ us\n$/,
      );
      assert.match(
        explained!.stdout,
        /^(web: \S.*:\d+ waited \d\S* ms, most of it for [-a-z]+ .*\n){3}missing: /,
      );
      assert.match(perfetto!.stdout, /^[1-9]\d* events in \d+ bytes, 35899 lost before\n$/);
      assert.match(waits!.stdout, /^3 waits, [1-9]\d* events in \d+ bytes\n$/);
      assert.equal(failure!.status, exitCode.missing);
      assert.equal(failure!.stderr, 'no-such-trace.dat: no such file; check the path\n');
    });

    it('has types with which the examples, and a strict compiler, compile', () => {
      const options = {
        allowJs: true,
        checkJs: true,
        noEmit: true,
        strict: true,
        skipLibCheck: false,
        module: 'nodenext',
        target: 'es2023',
        types: ['node'],
        typeRoots: [join(repoRoot, 'node_modules/@types')],
      };
      writeFileSync(
        join(dir, 'prefix/tsconfig.json'),
        JSON.stringify({ compilerOptions: options, include: ['example-*.mjs', 'wrong.mts'] }),
      );
      const compile = (): SpawnSyncReturns<string> =>
        spawnSync(join(repoRoot, 'node_modules/.bin/tsc'), ['-p', join(dir, 'prefix')], { encoding: 'utf8' });
      const good = compile();
      assert.equal(good.status, 0, good.stdout);
      writeFileSync(
        join(dir, 'prefix/wrong.mts'),
        "import { openTrace } from 'virtio-trace';\nconst { path }: { path: number } = await openTrace('');\n",
      );
      const wrong = compile();
      assert.notEqual(wrong.status, 0);
      assert.match(
        wrong.stdout,
        /wrong\.mts\(2,7\): error TS2322.*'string' is not assignable to type 'number'/s,
      );
    });

    it('does not expose the rest of the package', () => {
      const inside = "await import('virtio-trace/dist/src/trace/open.js')";
      const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', inside], {
        cwd: join(dir, 'prefix'),
        encoding: 'utf8',
      });
      assert.notEqual(status, 0);
      assert.match(stderr, /ERR_PACKAGE_PATH_NOT_EXPORTED/);
    });
  });

  it('sets up a guest', () => {
    const options = run('trace-host', 'setup', '--dir', join(dir, 'ports'), '--cpus', '2');
    assert.match(options, /name=trace-path-cpu1/);
    assert.ok(existsSync(join(dir, 'ports/agent-ctl-path.out')));
  });
});
