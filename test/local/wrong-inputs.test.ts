import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ExitCode, exitCode } from '../../src/base/failure.ts';
import { repoRoot } from '../repo-root.ts';
import { reportFixtureDir } from '../report/fixtures.ts';
import { fixture } from '../unit/trace/fixtures.ts';
import { recordingDir, scratchDir } from '../unit/trace/samples.ts';

const program = join(repoRoot, 'dist/bin/trace-host.js');
const mayDropPrivileges = process.geteuid?.() === 0 || process.env['CI'] === 'true';
const asNobody = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(dir: string, args: readonly string[], through: readonly string[] = []): Ended {
  const [command = '', ...words] = [...through, process.execPath, program, ...args];
  const { status, stdout, stderr } = spawnSync(command, words, {
    cwd: dir,
    encoding: 'latin1',
    maxBuffer: 1 << 28,
    env: { ...process.env, XDG_CACHE_HOME: join(dir, 'cache') },
  });
  return { status, stdout, stderr: Buffer.from(stderr, 'latin1').toString('utf8') };
}

/** A directory with a trace.dat of CPU 0 and 1 (`t.dat`), its copy as a recording (`r`), and things that are no trace. */
function scene(test: TestContext): string {
  const dir = scratchDir(test);
  copyFileSync(join(reportFixtureDir, 'guest612-events.dat'), join(dir, 't.dat'));
  mkdirSync(join(dir, 'empty-dir'));
  writeFileSync(join(dir, 'empty'), '');
  writeFileSync(join(dir, 'text'), 'hello\n');
  writeFileSync(
    join(dir, 'binary'),
    Uint8Array.from({ length: 5000 }, (_, index) => (index * 7) % 251),
  );
  writeFileSync(join(dir, 'zipped'), fixture('A/cpu0.raw.gz', 'packed'));
  symlinkSync('loop', join(dir, 'loop'));
  return dir;
}

type Wrong = readonly [args: readonly string[], code: ExitCode, says: RegExp];
const { usage, failed, missing } = exitCode;

/** Each message names the input, and says after the dash what to do. */
const wrong: Readonly<Record<string, readonly Wrong[]>> = {
  'files that are no trace': [
    [['report', 'nosuch'], missing, /nosuch: no such file — check the path/],
    [['report', ''], usage, /the path of the trace is empty — specify/],
    [['info', ''], usage, /the path of the trace is empty — specify/],
    [
      ['report', 'empty'],
      failed,
      /empty: an empty file, not a trace\.dat — specify a trace\.dat, or a \.rec/,
    ],
    [['summary', 'text'], failed, /text: not a trace\.dat — specify a trace\.dat.* trace-host convert/],
    [['info', 'binary'], failed, /binary: not a trace\.dat — specify/],
    [['query', 'binary', 'select 1'], failed, /binary: not a trace\.dat — specify/],
    [['export', 'binary', '-o', 'x.pftrace'], failed, /binary: not a trace\.dat — specify/],
    [['report', 'zipped'], failed, /zipped: compressed with gzip, not a trace\.dat — decompress it/],
    [
      ['report', 'empty-dir'],
      missing,
      /empty-dir: not a recording: .*recording\.json — specify a \.recording/,
    ],
    [['report', 'text/x'], missing, /text\/x: no such file: .* not a directory — check the path/],
    [['report', 'loop'], missing, /loop: no such file: a symbolic link .* — check the path/],
    [['report', 'a'.repeat(300)], usage, /: the name is too long — check the path/],
    [['report', '/dev/null'], failed, /null: not a regular file — specify a regular file/],
    [['report', 't.dat', 'nosuch'], missing, /nosuch: no such file/],
    [['report', '--follow', 't.dat'], missing, /t\.dat: no recording is running — specify/],
  ],
  'events, tasks and instances that the trace does not have': [
    [['report', 't.dat', '--event', 'sched_swich'], usage, /no event "sched_swich" — did you mean "sched:/],
    [['summary', 't.dat', '--event', 'sched:*'], usage, /no event "sched:\*" — did you mean "sched"/],
    [['export', 't.dat', '-o', 'x.csv', '--task', 'nosuch'], usage, /no task "nosuch" — /],
    [['report', 't.dat', '--task', '-5'], usage, /--task: no kernel has a thread "-5" — use an id up to/],
    [['report', 't.dat', '--task', '99999999999'], usage, /no kernel has a thread "99999999999" — use/],
    ...['report', 'summary'].map(
      (command): Wrong => [[command, 't.dat', '--instance', 'web'], usage, /no buffer "web" — it has ""/],
    ),
    [['query', 't.dat', 'select 1', '--instance', 'web'], usage, /no buffer "web" — it has ""/],
    [['report', 't.dat', '--json', '--instance', 'web'], usage, /no buffer "web" — it has ""/],
  ],
  'numbers and times': [
    ...['', '3-1', '-1', '0x1', '1e3', '0:', '99999'].map(
      (cpus): Wrong => [['report', 't.dat', '--cpu', cpus], usage, /--cpu: .* — give CPU numbers from 0 to/],
    ),
    ...['abc', '-5', '1,5', '1e3', '2026-01-01', '12:30:00', 'last 1d'].map(
      (time): Wrong => [
        ['summary', 't.dat', '--from', time],
        usage,
        /--from: .* is not a time — use seconds/,
      ],
    ),
    ...['0', '-1', '1.5', 'abc', '99999999'].map(
      (rows): Wrong => [['summary', 't.dat', '--top', rows], usage, /--top: .* — use a number from 1 to/],
    ),
    [
      ['report', 't.dat', '--ts2secs', '1GHz'],
      usage,
      /--ts2secs: "1GHz" is not a frequency in Hz — use e\.g/,
    ],
    [['report', 't.dat', '--ts-offset', '5'], usage, /--ts-offset must come after -i — use -i FILE/],
  ],
  filters: [
    [['report', 't.dat', '-F', ''], usage, /filter "": missing event name at character 1 — start with/],
    [['report', 't.dat', '-F', 'sched_switch:'], usage, /unexpected end at character 14 — write e\.g/],
    [
      ['report', 't.dat', '-F', 'sched_switch: prev_prio = 1'],
      usage,
      /"=" at character 25 — compare with ==/,
    ],
    [['report', 't.dat', '-F', 'sched_swich'], usage, /unknown event "sched_swich" .* — did you mean/],
    [['report', 't.dat', '-F', 'sched_switch: prio == 1'], usage, /no such event has a field "prio" .* — /],
    [['report', 't.dat', '-r', '['], usage, /"\[" is not a regular expression — put a backslash/],
  ],
  options: [
    [['report', '--nosuch'], usage, /unknown option '--nosuch' — see trace-host report --help/],
    [['export', 't.dat', '--format', 'csv'], usage, /unknown option '--format' — did you mean --to\?/],
    [['export', 't.dat', '--out=x'], usage, /unknown option '--out=x' — did you mean --output\?/],
    [['summary', 't.dat', '--since', '5'], usage, /unknown option '--since' — did you mean --from\?/],
    [['summary', 't.dat', '--pid', '5'], usage, /unknown option '--pid' — did you mean --task\?/],
    [['summary', 't.dat', '--cpus', '5'], usage, /unknown option '--cpus' — did you mean --cpu\?/],
    [['report', '--json', '--stat', 't.dat'], usage, /--json conflicts with --stat — omit one/],
    [['report', '--json', '-I', 't.dat'], usage, /--json conflicts with --without-hardirq — omit one/],
    [['report', '-O', 'nosuch', 't.dat'], usage, /--option: "nosuch" is unknown — the options are/],
    [['summary'], usage, /missing required argument 'file' — see/],
    [['info', 't.dat', 'second'], usage, /unexpected argument "second" — see/],
    [['export', 't.dat', 'x.csv'], usage, /no output given — specify one with -o, such as -o "x\.csv"/],
    [['reprot', 't.dat'], usage, /unknown command 'reprot' — did you mean report\?/],
  ],
  outputs: [
    [['timeline', 't.dat'], usage, /no output given — specify a new directory with -o DIR/],
    [['export', 't.dat'], usage, /no output given — specify one with -o/],
    [
      ['export', 't.dat', '--to', 'xls'],
      usage,
      /--to: "xls" is not one of perfetto, ndjson, csv, parquet — /,
    ],
    [['export', 't.dat', '--to', 'csv2'], usage, /--to: "csv2" is not one of .* — did you mean csv\?/],
    [
      ['export', 't.dat', '-o', 'a.pftrace', '-o', 'b.csv'],
      usage,
      /two outputs given: "a\.pftrace" and "b\.csv" — /,
    ],
    [['export', 't.dat', '-o', 'no/x.pftrace'], missing, /no\/x\.pftrace: no such directory — create/],
    [['export', 't.dat', '-o', 'text/x.pftrace'], failed, /a parent of it is not a directory — specify/],
    [['export', 't.dat', '--to', 'ndjson', '-o', 'empty-dir'], usage, /empty-dir is a directory — specify/],
    [['export', 't.dat', '--to', 'csv', '-o', 'text'], usage, /text is not a directory — specify/],
    [['export', 't.dat', '--to', 'csv', '-o', '.'], usage, /\. is not empty — specify/],
    [['export', 't.dat', '--to', 'ndjson', '-o', 't.dat'], usage, /t\.dat is the input trace — specify/],
    [['export', 't.dat', '--to', 'ndjson', '-o', '/dev/full'], usage, /full is not a regular file — specify/],
    [
      ['export', 't.dat', '--to', 'ndjson', '-o', 'a'.repeat(300)],
      failed,
      /the name is too long — use a shorter/,
    ],
    [['export', 't.dat', '--to', 'parquet', '-o', '-'], usage, /Parquet is a directory of files — specify/],
    [['export', 't.dat', '-o', ''], usage, /--output is empty — specify a path/],
  ],
  queries: [
    [['query'], usage, /missing required argument 'file' — see/],
    [['query', 't.dat'], usage, /no query given — add e\.g\. 'select \* from .*' after the files/],
    [['query', 't.dat', './t.dat'], usage, /no query given — add/],
    [['query', 'select 1'], usage, /no file given — give it before the query/],
    [
      ['query', 't.dat', 'select 1', '--machine', 'web'],
      usage,
      /the session has no machine "web" — it has "t"/,
    ],
    [['query', 't.dat', ' '], usage, /the query is empty — use e\.g/],
    [['query', 't.dat', ';'], usage, /the query has no statement — use e\.g/],
    [['query', 'select 1', 't.dat'], usage, /"select 1" is not a file — give the files before the query/],
    [['query', 't.dat', 'selct 1'], usage, /syntax error at or near "selct" — the query 'show tables'/],
    [['query', 't.dat', 'select 1', '--json', '--csv'], usage, /--json conflicts with --csv — use one/],
  ],
};

describe('a wrong input is named in one line with its remedy, and changes nothing', () => {
  for (const [kind, cases] of Object.entries(wrong))
    it(kind, (test) => {
      const dir = scene(test);
      const before = readdirSync(dir, { recursive: true });
      for (const [args, code, says] of cases) {
        const { status, stdout, stderr } = run(dir, args);
        const what = `trace-host ${args.join(' ')}: ${stderr}`;
        assert.equal(status, code, what);
        assert.match(stderr, /^trace-host: [^\n]+ — [^\n]+\n$/, what);
        assert.match(stderr, says, what);
        assert.equal(stdout, '', what);
      }
      rmSync(join(dir, 'cache'), { recursive: true, force: true });
      assert.deepEqual(readdirSync(dir, { recursive: true }), before);
    });

  it('files that are cut anywhere', (test) => {
    const dir = scene(test);
    const { length } = readFileSync(join(dir, 't.dat'));
    for (const bytes of [1, 9, 11, 13, 17, 24, 100, 4096, length - 4096, length - 1]) {
      copyFileSync(join(dir, 't.dat'), join(dir, 'cut.dat'));
      truncateSync(join(dir, 'cut.dat'), bytes);
      for (const args of [
        ['report', 'cut.dat'],
        ['export', 'cut.dat', '-o', 'x.pftrace'],
      ]) {
        const { status, stderr } = run(dir, args);
        assert.equal(status, exitCode.failed, `${bytes} bytes: ${stderr}`);
        assert.match(
          stderr,
          /^trace-host: cut\.dat: not a (?:readable )?trace\.dat.* — (?:specify|it is damaged)/,
        );
      }
    }
    assert.ok(!readdirSync(dir).some((name) => name.includes('pftrace')));
  });

  it('recordings without some of their files, and parts of a recording', (test) => {
    const recording = recordingDir(test);
    const dir = join(recording, '..');
    const says = (args: readonly string[], code: ExitCode, message: RegExp): void => {
      const { status, stderr } = run(dir, args);
      assert.match(stderr, message);
      assert.equal(status, code);
    };
    says(
      ['report', 'recording/cpu0.raw'],
      exitCode.failed,
      /a part of a recording, .* — .*'s directory, recording\n$/,
    );
    says(
      ['export', 'recording', '-o', 'recording/x.pftrace'],
      exitCode.usage,
      /is in the input recording — /,
    );
    says(
      ['export', 'recording', '--to', 'csv', '-o', 'recording/x'],
      exitCode.usage,
      /is in the input rec.* — /,
    );
    says(['export', 'recording', '--to', 'csv', '-o', 'recording'], exitCode.usage, /is the input trace — /);
    rmSync(join(recording, 'cpu1.raw'));
    says(
      ['summary', 'recording'],
      exitCode.missing,
      /recording: incomplete: cpu1\.raw missing — restore it, or/,
    );
    rmSync(join(recording, 'metadata.tar.gz'));
    says(
      ['info', 'recording'],
      exitCode.missing,
      /incomplete: metadata\.tar\.gz, cpu1\.raw missing — restore/,
    );
    writeFileSync(join(recording, 'recording.json'), '{');
    says(['info', 'recording'], exitCode.failed, /recording\.json: not a JSON object — convert/);
  });

  it('a path with control characters, which no message passes to the terminal', (test) => {
    const { stderr } = run(scene(test), ['report', '\x1b[31mx.dat']);
    assert.equal(stderr, 'trace-host: \\u{1b}[31mx.dat: no such file — check the path\n');
  });
});

describe('files that this user may not read or write', {
  skip: mayDropPrivileges ? false : 'becoming another user takes root',
}, () => {
  it('are named, with exit code 4', (test) => {
    const dir = scene(test);
    chmodSync(dir, 0o755);
    copyFileSync(join(dir, 't.dat'), join(dir, 'secret.dat'));
    chmodSync(join(dir, 'secret.dat'), 0o600);
    chmodSync(join(dir, 'empty-dir'), 0o700);
    const cases: readonly (readonly [args: readonly string[], says: RegExp])[] = [
      [['report', 'secret.dat'], /secret\.dat: permission denied — run as its owner or as root/],
      [['info', 'secret.dat'], /secret\.dat: permission denied — run as/],
      [['report', 'empty-dir'], /empty-dir: cannot read recording\.json: permission denied — run as/],
      [['report', 'empty-dir/x.dat'], /x\.dat: permission denied — run as/],
      [['export', 't.dat', '-o', 'x.pftrace'], /x\.pftrace: permission denied — write elsewhere/],
      [['export', 't.dat', '--to', 'csv', '-o', 'x'], /x: permission denied — write elsewhere/],
      [['query', 't.dat', 'select 1'], /virtio-trace\/query: permission denied — set XDG_CACHE_HOME/],
    ];
    for (const [args, says] of cases) {
      const { status, stderr } = run(dir, args, asNobody);
      assert.match(stderr, says);
      assert.equal(status, exitCode.notPermitted);
    }
  });
});

describe('a full disk', { skip: mayDropPrivileges ? false : 'mounting a small tmpfs takes root' }, () => {
  it('is named by every export, which leaves nothing on it', (test) => {
    const dir = scene(test);
    const disk = join(dir, 'disk');
    mkdirSync(disk);
    assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=32k', 'tmpfs', disk]).status, 0);
    try {
      for (const output of [
        ['-o', 'disk/x.pftrace'],
        ['-o', 'disk/x.ndjson.gz'],
        ['--to', 'csv', '-o', 'disk/x'],
        ['--to', 'parquet', '-o', 'disk/x'],
      ]) {
        const { status, stderr } = run(dir, ['export', 't.dat', ...output]);
        assert.match(
          stderr,
          /^trace-host: disk\/x.*: the disk is full after .* — free some space, or write elsewhere\n$/,
        );
        assert.equal(status, exitCode.failed);
        assert.deepEqual(readdirSync(disk), []);
      }
    } finally {
      spawnSync('umount', [disk]);
    }
  });
});

describe('CPUs and times that the trace does not have', () => {
  const commands: readonly (readonly string[])[] = [
    ['report', 't.dat'],
    ['report', '--json', 't.dat'],
    ['summary', 't.dat'],
    ['export', 't.dat', '--to', 'ndjson', '-o', '-'],
    ['query', 't.dat', 'select 1'],
  ];
  it('are warned of by every command, and stdout is that of an empty selection', (test) => {
    const dir = scene(test);
    const range = / — its events are from 16\.572675 to 20\.386392\n/;
    for (const args of commands) {
      const expected = run(dir, [...args, '--from', '18.0000001', '--to', '18.0000002']);
      assert.equal(expected.stderr, '', 'a time without events is no reason to warn');
      for (const [options, says] of [
        [['--cpu', '99'], /^trace-host: t\.dat does not have CPU 99 — its CPUs are 0-1\n/],
        [['--from', '99999'], range],
        [['--to', '0.5'], range],
        [['--from', '+100s'], /no event for --from "\+100s" — its events/],
        [['--from', '20', '--to', '17'], /"20" --to "17" — the first time is after the second/],
      ] as const) {
        const { status, stdout, stderr } = run(dir, [...args, ...options]);
        assert.match(stderr, says);
        assert.equal(status, exitCode.done, stderr);
        assert.equal(stdout, expected.stdout);
      }
    }
    assert.equal(run(dir, ['report', '-q', '--cpu', '99', 't.dat']).stderr, '');
  });

  it('do not hide those that it has', (test) => {
    const dir = scene(test);
    const both = run(dir, ['report', '-q', '--cpu', '1,5-7', 't.dat']);
    assert.equal(both.stdout, run(dir, ['report', '-q', '--cpu', '1', 't.dat']).stdout);
    assert.match(
      run(dir, ['summary', '--cpu', '1,5-7', 't.dat']).stderr,
      /does not have CPU 5-7 — its CPUs are 0-1\n$/,
    );
  });
});

describe('an interrupted export', () => {
  /** Interrupts it as soon as its temporary output is there; a recording of 60 times the sample takes seconds. */
  const interrupted = async (test: TestContext, to: string, out: string): Promise<void> => {
    const recording = recordingDir(test);
    const pages = readFileSync(join(recording, 'cpu0.raw'));
    writeFileSync(join(recording, 'cpu0.raw'), Buffer.concat(Array.from({ length: 60 }, () => pages)));
    const dir = join(recording, '..');
    const child = spawn(process.execPath, [program, 'export', recording, '--to', to, '-o', out], {
      cwd: dir,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = once(child, 'exit');
    let stderr = '';
    child.stderr.on('data', (chunk) => (stderr += String(chunk)));
    while (!readdirSync(dir).some((name) => name.endsWith('.tmp')) && child.exitCode === null) await sleep(5);
    child.kill('SIGINT');
    const [code] = await ended;
    assert.match(stderr, /^trace-host: interrupted; nothing was written/);
    assert.equal(code, exitCode.failed);
    assert.deepEqual(readdirSync(dir), ['recording']);
  };
  for (const [to, out] of [
    ['perfetto', 'x.pftrace'],
    ['ndjson', 'x.ndjson.gz'],
    ['csv', 'tables'],
    ['parquet', 'tables'],
  ] as const)
    it(`to ${to} leaves nothing`, (test) => interrupted(test, to, out));
});
