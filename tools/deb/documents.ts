/** The documents of a Debian package: licenses and a changelog. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { exitCode, Failure } from '../../src/base/failure.ts';
import { bundledLicenses } from '../bundled-licenses.ts';
import { tool } from '../single/tool.ts';
import type { Package, PackagedFile } from './packages.ts';

export const maintainer = 'virtio-trace maintainers <maintainers@virtio-trace.invalid>';

export function documents(
  root: string,
  { name, program }: Package,
  version: string,
  date: Date,
): PackagedFile[] {
  const doc = `usr/share/doc/${name}`;
  const ours = readFileSync(join(root, 'LICENSE'), 'utf8');
  const copyright = `${ours}\nThe program contains Node.js and npm packages: third-party-notices.gz has their licenses.\n`;
  const overrides = [
    '# The program is an official Node.js build: zlib is embedded, and it is not position-independent.',
    `${name}: embedded-library zlib [usr/bin/${program}]`,
    `${name}: hardening-no-pie [usr/bin/${program}]`,
  ];
  return [
    {
      from: { text: `${overrides.join('\n')}\n` },
      to: `usr/share/lintian/overrides/${name}`,
      mode: 0o644,
    },
    { from: { text: copyright }, to: `${doc}/copyright`, mode: 0o644 },
    { from: { text: notices(root, program) }, to: `${doc}/third-party-notices.gz`, mode: 0o644, gzip: true },
    { from: { text: changelog(name, version, date) }, to: `${doc}/changelog.gz`, mode: 0o644, gzip: true },
  ];
}

/** The date is in RFC 5322 format, in UTC. */
function changelog(name: string, version: string, date: Date): string {
  const when = date.toUTCString().replace('GMT', '+0000');
  return `${name} (${version}) stable; urgency=medium\n\n  * See CHANGELOG.md of the source.\n\n -- ${maintainer}  ${when}\n`;
}

/** The licenses of Node, including its bundled libraries, and of the npm packages. */
function notices(root: string, program: string): string {
  const parts = [`Node.js ${process.version}\n\n${readFileSync(nodeLicense(), 'utf8')}`];
  for (const dir of productionPackages(root)) {
    const license = readdirSync(dir).find((file) => /^licen[cs]e/i.test(file));
    if (license === undefined) continue;
    parts.push(`${relative(join(root, 'node_modules'), dir)}\n\n${readFileSync(join(dir, license), 'utf8')}`);
  }
  if (program === 'trace-host')
    parts.push(bundledLicenses(root), bundledLicenses(root, 'dist/page-bundle.json'));
  return parts.join(`\n${'-'.repeat(78)}\n\n`);
}

/** Next to the executable in nodejs.org's archives, in /usr/share/doc in NodeSource's packages. */
function nodeLicense(): string {
  const candidates = [join(dirname(dirname(process.execPath)), 'LICENSE'), '/usr/share/doc/nodejs/LICENSE'];
  const found = candidates.find((path) => existsSync(path));
  if (found !== undefined) return found;
  const remedy = 'build with Node from nodejs.org or NodeSource, which include the license';
  throw new Failure(exitCode.missing, `license of Node not found: ${candidates.join(' or ')}`, remedy);
}

function productionPackages(root: string): string[] {
  const list = tool('npm', ['ls', '--omit=dev', '--all', '--parseable'], 'install npm', root);
  return list
    .split('\n')
    .filter((dir) => basename(dirname(dir)) === 'node_modules' || dir.includes('/node_modules/@'))
    .sort();
}
