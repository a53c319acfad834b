// @first its runs

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { repoRoot } from '../repo-root.ts';

const runner = join(repoRoot, 'dist/tools/test/main.js');

/** JavaScript that is also valid TypeScript, as test files of a checkout without others. */
const files = {
  'unit/good': "test('adds', () => {});\ntest('is left out', { skip: 'why' }, () => {});",
  'unit/bad': "test('is wrong', () => { console.log('said before'); throw new Error('two is not three'); });",
  'unit/hook': `
    describe('a suite', () => {
      before(() => { throw new Error('no machine'); });
      test('never runs', () => {});
    });`,
  'unit/crash': "test('ends the process', () => process.exit(7));",
  'local/stuck': `
    test('goes well', () => {});
    describe('a suite', () => {
      test('never ends', async () => {
        console.log('said before it hangs');
        const child = spawn('sh', ['-c', 'sleep 1000 & sleep 1000'], { stdio: 'inherit' });
        const orphan = spawn('sh', ['-c', 'sleep 1000 >/dev/null & echo $!'], { stdio: ['ignore', 'pipe', 'inherit'] });
        writeFileSync(MARK, [process.pid, child.pid, Number(await text(orphan.stdout))].join(' '));
        await new Promise((resolve) => child.on('exit', resolve));
      });
    });`,
  'unit/deep.long': "test('digs', () => {});",
  'local/fickle': `
    test('is right at the second try', () => {
      if (existsSync(MARK)) return;
      writeFileSync(MARK, '');
      throw new Error('not yet');
    });
    test('is always right', () => {});`,
} as const;

/** Whether there is such a process, other than one that waits for its parent to ask how it ended. */
function isRunning(pid: string): boolean {
  const path = `/proc/${pid}/stat`;
  return existsSync(path) && !/\) Z /.test(readFileSync(path, 'latin1'));
}

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

describe('the test runner', () => {
  let root: string;

  before(() => {
    root = mkdtempSync(join(tmpdir(), 'virtio-trace-runner-'));
    mkdirSync(join(root, 'test/guest'), { recursive: true });
    writeFileSync(join(root, 'package.json'), '{ "type": "module" }');
    for (const [name, text] of Object.entries(files)) write(name, text.replaceAll('MARK', `'${root}/tried'`));
  });

  after(() => rmSync(root, { recursive: true }));

  function write(name: string, text: string): void {
    const imports =
      "import { spawn } from 'node:child_process';\nimport { existsSync, writeFileSync } from 'node:fs';\n" +
      "import { text } from 'node:stream/consumers';\nimport { before, describe, test } from 'node:test';\n";
    for (const path of [`test/${name}.test.ts`, `dist/test/${name}.test.js`]) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), `${imports}${text}\n`);
    }
  }

  function run(...args: string[]): Outcome {
    // a test runner that is started within a test would run nothing
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const { status, stdout, stderr } = spawnSync(process.execPath, [runner, '--root', root, ...args], {
      encoding: 'utf8',
      env,
      timeout: 60_000,
    });
    return { code: status, stdout, stderr };
  }

  const lastLine = (text: string): string | undefined => text.trimEnd().split('\n').at(-1);

  it('passes when all tests pass, and counts skipped tests', () => {
    const { code, stdout } = run('good');
    assert.equal(code, 0, stdout);
    assert.match(stdout, /^✔ test\/unit\/good\.test\.ts +\d+\.\d s {2}2 tests$/m);
    assert.match(stdout, /^skipped:\ntest\/unit\/good\.test\.ts: is left out$/m);
    assert.equal(lastLine(stdout), '1 passed, 0 failed, 1 skipped');
  });

  it('reports for a test that fails twice its error and its output', () => {
    const { code, stdout } = run('unit/bad');
    assert.equal(code, 1, stdout);
    assert.match(stdout, /^✖ test\/unit\/bad\.test\.ts .*tried twice: 1 failed, 0 unsteady$/m);
    assert.match(stdout, /^FAILED test\/unit\/bad\.test\.ts: is wrong$/m);
    assert.equal(stdout.split('Error: two is not three').length - 1, 2, 'of both tries');
    assert.match(stdout, /^said before$/m);
    assert.equal(lastLine(stdout), '0 passed, 1 failed, 0 skipped');
  });

  it('counts a suite whose hook fails, and a file that ends before its tests', () => {
    const { code, stdout } = run('hook|crash');
    assert.equal(code, 1, stdout);
    assert.match(stdout, /Error: no machine/);
    assert.match(stdout, /^FAILED test\/unit\/hook\.test\.ts: a suite › never runs$/m);
    assert.match(stdout, /^FAILED test\/unit\/crash\.test\.ts: the file as a whole$/m);
    assert.equal(lastLine(stdout), '0 passed, 3 failed, 0 skipped');
  });

  it('runs every unit test even if a file ends the process that it shares with others', () => {
    const beside = ['a1', 'a2', 'a3', 'a4', 'side1', 'side2', 'side3', 'side4'];
    for (const name of beside) write(`unit/${name}`, "test('adds', () => {});");
    const { code, stdout } = run('unit/(a|side)\\d', 'crash');
    assert.equal(code, 1, stdout);
    assert.equal(stdout.match(/^✔ test\/unit\/\w+\.test\.ts +\d+\.\d s {2}1 tests$/gm)?.length, 8, stdout);
    assert.match(stdout, /^FAILED test\/unit\/crash\.test\.ts: the file as a whole$/m);
    assert.equal(lastLine(stdout), '8 passed, 1 failed, 0 skipped');
    for (const name of beside) rmSync(join(root, `test/unit/${name}.test.ts`));
  });

  it('reports a test as unsteady if it passes at the second attempt', () => {
    rmSync(join(root, 'tried'), { force: true });
    const { code, stdout } = run('fickle');
    assert.equal(code, 0, stdout);
    assert.match(stdout, /^~ test\/local\/fickle\.test\.ts .*0 failed, 1 unsteady$/m);
    assert.match(
      stdout,
      /^UNSTEADY .*: is right at the second try\n-- first try: failed after .*\nError: not yet$/m,
    );
    assert.match(stdout, /^-- second try: passed/m);
    assert.match(stdout, /^unsteady: 1 tests failed in one of two tries \(up to 2 are tolerated\)$/m);
    assert.equal(lastLine(stdout), '2 passed, 0 failed, 0 skipped');
  });

  it('fails when more than two are unsteady', () => {
    for (const number of [1, 2, 3]) {
      const mark = `'${root}/tried${number}'`;
      write(`local/shaky${number}`, files['local/fickle'].replaceAll('MARK', mark));
    }
    const { code, stdout } = run('shaky');
    assert.equal(code, 1, stdout);
    assert.match(stdout, /^unsteady: 3 tests failed in one of two tries \(they count as failed\)$/m);
    assert.equal(lastLine(stdout), '3 passed, 3 failed, 0 skipped');
    for (const number of [1, 2, 3]) rmSync(join(root, `test/local/shaky${number}.test.ts`));
  });

  it('runs tests by name if no path matches, and only those', () => {
    const { code, stdout } = run('is always right');
    assert.equal(code, 0, stdout);
    assert.match(stdout, /^✔ test\/local\/fickle\.test\.ts .* 1 tests$/m);
    assert.equal(lastLine(stdout), '1 passed, 0 failed, 0 skipped');
  });

  it('kills a file that runs longer than its limit, with what it started, and goes on', () => {
    const { code, stdout } = run('--limit', '3', 'stuck', 'unit/good');
    assert.equal(code, 1, stdout);
    const text =
      /^FAILED test\/local\/stuck\.test\.ts: the file as a whole\n-- first try: failed .*\nkilled after its limit of 3 s; began last: a suite › never ends\n-- output of the file's tests:\nsaid before it hangs$/m;
    assert.match(stdout, text);
    assert.doesNotMatch(stdout, /second try/);
    assert.equal(lastLine(stdout), '2 passed, 1 failed, 1 skipped');
    const pids = readFileSync(join(root, 'tried'), 'utf8').split(' ');
    assert.equal(pids.length, 3);
    for (const pid of pids) assert.equal(isRunning(pid), false, pid);
  });

  it('prints the failures so far when a signal ends it', { timeout: 60_000 }, async () => {
    rmSync(join(root, 'tried'), { force: true });
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const args = [runner, '--root', root, 'unit/bad', 'stuck', 'unit/good'];
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const said = Promise.all([text(child.stdout), text(child.stderr)]);
    const begun = join(root, 'tried');
    while (!existsSync(begun) || !/(?:\d+ ){2}\d+/.test(readFileSync(begun, 'utf8'))) await sleep(50);
    child.kill('SIGINT');
    const [stdout, stderr] = await said;
    assert.match(stdout, /^FAILED test\/unit\/bad\.test\.ts: is wrong$/m);
    assert.match(stdout, /Error: two is not three/);
    assert.match(stderr, /ended by a signal after \d of 3 files/);
  });

  it('runs long tests only in the long set', () => {
    const { code, stderr } = run('deep');
    assert.equal(code, 2);
    assert.match(stderr, /no test of the short set matches\nnpm run test:long -- PATTERN/);
    assert.equal(
      lastLine(run('--set', 'long', '--in', 'unit', 'deep').stdout),
      '1 passed, 0 failed, 0 skipped',
    );
    assert.match(run('--list').stdout, /^test\/unit\/deep\.long\.test\.ts\n {2}long {3}digs$/m);
  });

  it('refuses an unknown option, and lists the known ones', () => {
    for (const [args, message] of [
      [['--in', 'space'], /--in space: not one of unit, local, guest/],
      [['('], /the pattern \( is not a regular expression/],
      [['--set', 'tiny'], /unknown set tiny/],
      [['--limit', 'soon'], /--limit soon: not a number of seconds/],
      [['--fast'], /--fast/],
    ] as const) {
      const { code, stderr } = run(...args);
      assert.equal(code, 2);
      assert.match(stderr, message);
      assert.match(stderr, /usage: npm test/);
    }
  });
});
