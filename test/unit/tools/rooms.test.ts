import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { repoRoot } from '../../repo-root.ts';
import { scratchDir } from '../trace/samples.ts';

const configFile = join(repoRoot, 'oxlint.config.mjs');

/** A checkout with the project's lint rules and only these files. @returns the linter's report, one line each */
function lint(test: Parameters<typeof scratchDir>[0], files: Readonly<Record<string, string>>): string[] {
  const dir = scratchDir(test);
  cpSync(configFile, join(dir, 'oxlint.config.mjs'));
  cpSync(join(repoRoot, 'tsconfig.json'), join(dir, 'tsconfig.json'));
  symlinkSync(join(repoRoot, 'node_modules'), join(dir, 'node_modules'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(dir, dirname(path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  const oxlint = join(repoRoot, 'node_modules/.bin/oxlint');
  const { status, stdout } = spawnSync(oxlint, ['-c', 'oxlint.config.mjs', '--format', 'unix'], {
    cwd: dir,
    encoding: 'utf8',
  });
  const found = stdout.split('\n').filter((line) => /^\S+\.ts:\d+:\d+: /.test(line));
  assert.equal(status, found.length > 0 ? 1 : 0, stdout);
  return found;
}

const exporting = 'export const name = 1;\n';
const importing = (path: string): string => `import { name } from '${path}';\nexport const other = name;\n`;

describe('the lint rule for rooms', () => {
  let rooms: Readonly<Record<string, readonly string[]>>;
  let foldersOf: Readonly<Record<string, readonly string[]>>;

  before(async () => {
    ({ rooms, foldersOf } = await import(pathToFileURL(configFile).href));
  });

  it('lists every folder of src/', () => {
    const folders = (path: string): string[] =>
      readdirSync(join(repoRoot, path), { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name)
        .sort();
    assert.deepEqual(folders('src'), Object.keys(rooms).sort());
    for (const room of Object.keys(rooms))
      assert.deepEqual(folders(`src/${room}`), [...(foldersOf[room] ?? [])].sort(), room);
  });

  it('limits the size of every folder', () => {
    const all = readdirSync(join(repoRoot, 'src'), { recursive: true, withFileTypes: true });
    for (const { parentPath, name } of all.filter((entry) => entry.isDirectory())) {
      const path = join(parentPath, name);
      const files = readdirSync(path).filter((file) => /\.tsx?$/.test(file));
      assert.ok(files.length <= 13, `${path} has ${files.length} files: make two rooms of it`);
    }
  });

  it('refuses every import against the order of the rooms, and no other', (test) => {
    const files: Record<string, string> = {};
    const expected: string[] = [];
    for (const room of Object.keys(rooms)) files[`src/${room}/target.ts`] = exporting;
    for (const [room, allowed] of Object.entries(rooms))
      for (const other of Object.keys(rooms)) {
        if (other === room) continue;
        files[`src/${room}/to-${other}.ts`] = importing(`../${other}/target.ts`);
        const [folder] = foldersOf[room] ?? [];
        if (folder !== undefined)
          files[`src/${room}/${folder}/to-${other}.ts`] = importing(`../../${other}/target.ts`);
        if (allowed.includes(other)) continue;
        expected.push(`src/${room}/to-${other}.ts`);
        if (folder !== undefined) expected.push(`src/${room}/${folder}/to-${other}.ts`);
      }
    assert.deepEqual(refused(lint(test, files), 'no-restricted-imports'), expected.sort());
  });

  it('refuses every import against the order of the folders in a room, and no other', (test) => {
    const files: Record<string, string> = {};
    const expected: string[] = [];
    for (const [room, folders] of Object.entries(foldersOf)) {
      for (const folder of folders) files[`src/${room}/${folder}/target.ts`] = exporting;
      for (const [index, folder] of folders.entries())
        for (const [place, other] of folders.entries()) {
          if (place === index) continue;
          files[`src/${room}/${folder}/to-${other}.ts`] = importing(`../${other}/target.ts`);
          files[`src/${room}/${folder}/deep/to-${other}.ts`] = importing(`../../${other}/target.ts`);
          if (place < index) continue;
          expected.push(`src/${room}/${folder}/to-${other}.ts`, `src/${room}/${folder}/deep/to-${other}.ts`);
        }
    }
    assert.deepEqual(refused(lint(test, files), 'no-restricted-imports'), expected.sort());
  });

  it('refuses circular imports, also of types only', (test) => {
    const found = lint(test, {
      'src/base/a.ts': importing('./b.ts'),
      'src/base/b.ts': "import type { other } from './c.ts';\nexport const name = (a: typeof other) => a;\n",
      'src/base/c.ts': importing('./a.ts').replace('{ name }', '{ other as name }'),
      'src/base/d.ts': importing('./a.ts').replace('{ name }', '{ other as name }'),
    });
    assert.deepEqual(refused(found, 'no-cycle'), ['src/base/a.ts', 'src/base/b.ts', 'src/base/c.ts']);
  });
});

/** Paths that one rule reports, sorted. */
function refused(found: readonly string[], rule: string): string[] {
  const paths = found.filter((line) => line.includes(rule)).map((line) => line.slice(0, line.indexOf(':')));
  return [...new Set(paths)].sort();
}
