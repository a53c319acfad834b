import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The licenses of all packages that esbuild put into a bundle.
 * @param root the checkout, built
 * @param metafile of the bundle; by default that of `trace-host serve`
 */
export function bundledLicenses(root: string, metafile = 'dist/serve-libraries.json'): string {
  const { inputs }: { inputs: object } = JSON.parse(readFileSync(join(root, metafile), 'utf8'));
  const dirs = Object.keys(inputs).flatMap(
    (path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? [],
  );
  return [...new Set(dirs)]
    .sort()
    .flatMap((dir) => {
      const license = readdirSync(join(root, dir)).find((file) => /^(?:licen[cs]e|copying)/i.test(file));
      const text =
        license === undefined ? declared(join(root, dir)) : readFileSync(join(root, dir, license), 'utf8');
      return `${dir.replace(/^.*node_modules\//, '')}\n\n${text}`;
    })
    .join(`\n${'-'.repeat(78)}\n\n`);
}

/** What a package without the text of its license says of it. */
function declared(dir: string): string {
  const { license, author }: { license?: unknown; author?: unknown } = JSON.parse(
    readFileSync(join(dir, 'package.json'), 'utf8'),
  );
  return `license: ${JSON.stringify(license)}, author: ${JSON.stringify(author)}\n`;
}
