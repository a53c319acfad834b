import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { dependencies } from '../../tools/deb/control.ts';
import { repoRoot } from '../repo-root.ts';
import { toolSkip } from './harness/skip.ts';

const builder = join(repoRoot, 'dist/tools/deb/build.js');

/** Builds packages of small stand-ins for the single executables; single.test.ts checks the real ones. */
function build(dir: string, umask: string, env: Readonly<Record<string, string>>): Map<string, Buffer> {
  for (const program of ['trace-agent', 'trace-host']) copyFileSync('/bin/true', join(dir, program));
  execFileSync('sh', ['-c', `umask ${umask}; exec "$0" "$1" "$2"`, process.execPath, builder, dir], {
    env: { ...process.env, ...env },
  });
  const archives = readdirSync(dir).filter((name) => name.endsWith('.deb'));
  return new Map(archives.map((name) => [name, readFileSync(join(dir, name))]));
}

describe('Debian packages', { skip: toolSkip('dpkg-deb') }, () => {
  let dirs: string[];
  let first: Map<string, Buffer>;

  before(() => {
    dirs = ['a', 'b'].map((name) => mkdtempSync(join(tmpdir(), `virtio-trace-deb-${name}-`)));
    first = build(dirs[0] ?? '', '022', {});
  });

  after(() => {
    for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
  });

  it('have the same bytes each time, whatever the umask, the time zone, the language and the hour', () => {
    const strange = { TZ: 'Asia/Tokyo', LC_ALL: 'C.UTF-8', HOME: dirs[1] ?? '' };
    const second = build(dirs[1] ?? '', '077', strange);
    assert.deepEqual([...first.keys()].sort(), [...second.keys()].sort());
    assert.equal(first.size, 2);
    for (const [name, bytes] of first) assert.ok(second.get(name)?.equals(bytes), `${name} differs`);
  });

  it('contain the right files, owned by root, with configuration marked as such', () => {
    const listed = [...first.keys()].map((name) =>
      execFileSync('dpkg-deb', ['-c', join(dirs[0] ?? '', name)], { encoding: 'utf8' }),
    );
    for (const list of listed) {
      for (const line of list.trim().split('\n'))
        assert.match(line, /^(-rw-r--r--|[-d]rwxr-xr-x) root\/root /);
      assert.match(list, /-rwxr-xr-x .* \.\/usr\/bin\/trace-/);
      for (const part of [
        'man1/trace-',
        'bash-completion',
        'vendor-completions',
        'vendor_completions',
        'copyright',
      ])
        assert.ok(list.includes(part), part);
    }
    const agent = join(dirs[0] ?? '', [...first.keys()].find((name) => name.includes('agent')) ?? '');
    const host = listed.find((list) => list.includes('usr/bin/trace-host')) ?? '';
    for (const path of ['systemd/system/trace-host.service', 'sysusers.d/virtio-trace-host.conf'])
      assert.ok(host.includes(`./usr/lib/${path}`), path);
    const conffiles = execFileSync('dpkg-deb', ['-I', agent, 'conffiles'], { encoding: 'utf8' });
    assert.equal(conffiles, '/etc/virtio-trace/agent.json\n');
  });

  it('pass lintian', { skip: toolSkip('lintian') }, () => {
    const archives = [...first.keys()].map((name) => join(dirs[0] ?? '', name));
    // lintian also checks the stand-ins; its complaints about Node are overridden in the package.
    const found = spawnSync('lintian', ['--allow-root', ...archives], { encoding: 'utf8' });
    assert.doesNotMatch(found.stdout, /^E:/m);
    assert.doesNotMatch(found.stderr, /^E:/m);
  });

  it('have scripts that run in a plain shell, and that do nothing in a system without systemd', () => {
    const dir = join(repoRoot, 'packaging/deb');
    for (const name of readdirSync(dir)) {
      for (const args of [['configure', ''], ['remove'], ['purge'], ['upgrade', '1.0'], ['abort-upgrade']]) {
        const script = readFileSync(join(dir, name), 'utf8').replaceAll(
          '/run/systemd/system',
          '/nonexistent',
        );
        const ran = spawnSync('dash', ['-s', '--', ...args], { input: script, env: {}, encoding: 'utf8' });
        assert.deepEqual([ran.status, ran.stdout, ran.stderr], [0, '', ''], `${name} ${args.join(' ')}`);
      }
    }
  });
});

it('fail to build with a library whose Debian package is unknown', () => {
  assert.equal(
    dependencies(['GLIBC_2.28', 'GCC_3.4', 'GLIBCXX_3.4.21', 'CXXABI_1.3.11']),
    'libc6 (>= 2.28), libgcc-s1 | libgcc1, libstdc++6 (>= 5)',
  );
  assert.throws(() => dependencies(['GLIBCXX_3.4.99']), /unknown Debian package for GLIBCXX_3\.4\.99/);
  assert.throws(() => dependencies(['OPENSSL_3.0']), /unknown Debian package for OPENSSL_3\.0/);
});
