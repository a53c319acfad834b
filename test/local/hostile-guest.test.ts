// @first its scenarios

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { exitCode } from '../../src/base/failure.ts';
import { isLong } from '../set.ts';
import { until } from './harness/until.ts';
import { assertOrderly, concurrency, Scene, traceHost } from './hostile-guest-run.ts';
import { scenarios } from './hostile-guest-scenarios.ts';

const { done, failed, missing, notPermitted, lost } = exitCode;

/**
 * Expected end of a recording of each kind of guest: exit codes, files left, message; the first matching name
 * counts.
 */
const expected: readonly [name: RegExp, codes: readonly number[], left: readonly string[], said: RegExp][] = [
  [/^honest$/, [done], ['file'], /duration reached/],
  [/^pages-(random|commit|bits|flood|for-ever)$/, [lost], ['recording'], /bad pages skipped/],
  [/^pages-unknown-event$/, [done], ['file'], /event 65000 has no format .*unknown:event_65000/],
  [/^pages-(zero|none-of-one)$/, [done], ['file'], /duration reached/],
  [/^pages-partial$/, [lost], ['recording'], /truncated/],
  [/^pages-before-start$/, [failed], ['nothing'], /keeps sending/],
  [/^metadata-(never|.*none)$/, [missing], ['nothing'], /does not answer within 4 s/],
  [/^metadata-(escapes|path-(?!many).*)$/, [done], ['file'], /duration reached/],
  [/^metadata-/, [failed], ['nothing'], /metadata/],
  [/^names-override$/, [done], ['file'], /duration reached/],
  [/^names-/, [lost], ['recording'], /metadata is not a tar/],
  [/^answer-(status|start|metadata)-none$/, [missing], ['nothing'], /does not answer/],
  [/^answer-(status|start|metadata)-\d$/, [failed], ['nothing'], /sent an invalid answer/],
  [/^answer-(status|start|metadata)-error$/, [failed], ['nothing'], /refuses the order/],
  [/^answer-stop-\d$/, [lost], ['recording'], /sent an invalid answer/],
  [/^answer-stop-/, [lost], ['recording'], /refuses the order stop|does not answer/],
  [/^answer-(ping|escapes)/, [done], ['file'], /duration reached/],
  // the end may fall between an archive's announcement and its bytes
  [/^answer-flood$/, [done, failed, lost], ['file', 'recording', 'nothing'], /duration reached|metadata/],
  [/^answer-line-for-ever$/, [missing], ['nothing'], /does not answer/],
  [/^life-dies$/, [lost], ['recording'], /has disconnected: its QEMU closed/],
  [/^life-restarts$/, [lost], ['recording'], /was restarted and is no longer tracing/],
  [/^life-stops$/, [lost], ['recording'], /another program stopped the trace of/],
];

/** Arguments of `record` for a guest: one that falls silent is given up soon, one that dies gets time to die. */
function lengthFor(name: string): string[] {
  if (/(none|never|line-for-ever)$/.test(name)) return ['--duration', '1s', '--timeout', '4s'];
  return ['--duration', name.startsWith('life-') ? '5s' : '1s'];
}

/** The reason why trace-cmd cannot run; with CI=true it must exist. */
function traceCmdSkip(): string | false {
  const found = spawnSync('trace-cmd', ['--version'], { stdio: 'ignore' }).error === undefined;
  if (!found && process.env['CI'] === 'true') throw new Error('trace-cmd is missing');
  return found ? false : 'trace-cmd is missing';
}

/** Only in the long set: scenarios in which the same check as in another one finds the fault. */
const likeAnother =
  /^metadata-(more|huge|nothing|random|no-header|huge-pages|many-formats|path-(?!dotdot).*)$|^answer-(?!start).*-(1|error)$/;

const tried = Object.keys(scenarios).filter((name) => isLong || !likeAnother.test(name));

describe('a recording of a hostile guest ends cleanly', { concurrency, skip: traceCmdSkip() }, () => {
  for (const name of tried) {
    it(name, async (test) => {
      const scene = new Scene(test);
      await scene.guest(name);
      const ended = await scene.record(...lengthFor(name)).ended;
      const [, codes, left, said] = expected.find(([pattern]) => pattern.test(name)) ?? assert.fail(name);
      assertOrderly(ended, codes);
      assert.match(ended.stderr, said);
      scene.assertTidy();
      const found = await scene.assertUsable(ended);
      assert.ok(left.includes(found), `${found}\n${ended.stderr}`);
    });
  }
});

it('info and summary of a hostile trace.dat and of its recording', async (test) => {
  const scene = new Scene(test);
  await scene.guest('metadata-escapes');
  const run = scene.record('--duration', '30s');
  await until('recording begins', () => run.said().includes('recording;'), 120_000);
  run.child.kill('SIGKILL');
  await run.ended;
  assertOrderly(await traceHost('convert', scene.recording, '-o', scene.out, '--json').ended, [done, lost]);
  for (const path of [scene.recording, scene.out]) {
    for (const command of [['info'], ['summary'], ['summary', '--json'], ['explain'], ['explain', '--json']])
      assertOrderly(await traceHost(...command, path).ended, [done]);
    const json = await traceHost('info', path, '--json').ended;
    assertOrderly(json, [done]);
    const { uname }: { uname: string } = JSON.parse(json.stdout);
    assert.equal(uname, 'Linux \x1b]0;owned\x07\x9b2J\x7f 6.1', 'escaped, not lost');
  }
});

describe('the status of a hostile guest', { concurrency }, () => {
  for (const name of tried.filter((each) => /^answer-(status-|escapes|flood|line)/.test(each))) {
    it(name, async (test) => {
      const scene = new Scene(test);
      await scene.guest(name);
      for (const json of [[], ['--json']]) {
        const ended = await traceHost('status', '--dir', scene.dir, '--timeout', '2s', ...json).ended;
        assertOrderly(ended, [done, failed, missing, notPermitted]);
        if (json.length > 0 && ended.code === done) JSON.parse(ended.stdout);
      }
      scene.assertTidy();
    });
  }
});
