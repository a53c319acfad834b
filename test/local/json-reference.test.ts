import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { frameKinds } from '../../src/protocol/frames.ts';
import { head, otherFrame, pagesFrame } from '../unit/trace/framed/stream.ts';
import { samplePages } from './hostile-guest-samples.ts';
import { Scene, traceHost } from './hostile-guest-run.ts';

const reference = readFileSync(new URL('../../../docs/json.md', import.meta.url), 'utf8');

/** The fields in the first column of the table in a command's section. */
function documented(command: string): Set<string> {
  const section = reference.split(/^## /m).find((text) => text.startsWith(`${command}\n`)) ?? '';
  const cells = [...section.matchAll(/^\| (`.*?) \|/gm)].map(([, cell = '']) => cell);
  return new Set(cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, name = '']) => name)));
}

/** All names of fields in a value, at any depth. */
function namesIn(value: unknown): Set<string> {
  const names = new Set<string>();
  JSON.stringify(value, (key, inner: unknown) => {
    if (!/^\d*$/.test(key)) names.add(key);
    return inner;
  });
  return names;
}

/** The fields that every command prints, for a correct guest. */
describe('docs/json.md lists the fields that are printed', () => {
  it('by each command', async (test) => {
    const scene = new Scene(test);
    await scene.guest('honest');
    const at = ['--dir', scene.dir];
    const patient = ['--timeout', '1m'];
    const run = async (command: string, ...args: string[]): Promise<unknown> => {
      const { code, stdout, stderr } = await traceHost(command, ...args).ended;
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout);
    };
    const check = (command: string, value: unknown, more: readonly string[] = []): void => {
      assert.ok(typeof value === 'object' && value !== null);
      const fields = documented(command);
      for (const name of more) fields.add(name);
      assert.deepEqual(new Set(Object.keys(value)), fields, command);
    };
    check('setup', await run('setup', ...at, '--format', 'json'));
    for (const command of ['status', 'ping', 'start', 'stop'])
      check(command, await run(command, ...at, ...patient, '--json'));
    check('metadata', await run('metadata', ...at, ...patient, '-o', join(scene.outDir, 'm.tgz'), '--json'));
    const record = ['--json', '-o', scene.out, '--duration', '1s'];
    const [recorded] = Object.values(Object(await run('record', ...at, ...patient, ...record)));
    check('record', recorded, [...documented('convert')]);
    const raw = join(scene.outDir, 'cpu0.raw');
    writeFileSync(raw, samplePages(0));
    const convert = ['--metadata', join(scene.outDir, 'm.tgz'), '-o', scene.out, '--json'];
    check('convert', await run('convert', `cpu0=${raw}`, ...convert));
    const framed = join(scene.outDir, 'trace.framed');
    const archive = readFileSync(join(scene.outDir, 'm.tgz'));
    const frames = [
      otherFrame(frameKinds.metadata, archive),
      pagesFrame(0, 0, samplePages(0)),
      otherFrame(frameKinds.end, { cpus: {} }),
    ];
    writeFileSync(framed, Buffer.concat([head(4096), ...frames]));
    const stream = Object(await run('convert', framed, '-o', scene.out, '--json'));
    check('convert', stream, ['framed']);
    check('convert of a framed stream', stream.framed);
    check('export', await run('export', scene.out, '-o', join(scene.outDir, 'trace.pftrace'), '--json'));
    const info = documented('info');
    info.delete('recording');
    info.delete('timeShift');
    info.delete('pauses');
    assert.deepEqual(new Set(Object.keys(Object(await run('info', scene.out, '--json')))), info);
    const summary = Object(await run('summary', scene.out, '--json'));
    check('summary', summary);
    // what is in a buffer is a list of names, not a table
    const section = reference.slice(reference.indexOf('\n## summary\n'));
    for (const name of namesIn(summary.buffers)) assert.ok(section.includes(`\`${name}\``), name);
    check('timeline', await run('timeline', scene.out, '-o', join(scene.outDir, 'timeline'), '--json'));
    const explanation = Object(await run('explain', scene.out, '--json'));
    const { clocks, ...lists } = explanation;
    const explained = reference.slice(reference.indexOf('\n## explain\n'));
    for (const name of ['clocks', ...namesIn(Object.values(clocks)), ...namesIn(lists)])
      assert.ok(explained.includes(`\`${name}\``), name);
  });
});
