/** Writes the licenses of the packages that the build bundled, for `trace-host serve` and its page, next to the bundles. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundledLicenses } from './bundled-licenses.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
writeFileSync(join(root, 'dist/src/serve/libraries.LICENSES.txt'), bundledLicenses(root));
writeFileSync(join(root, 'dist/page/LICENSES.txt'), bundledLicenses(root, 'dist/page-bundle.json'));
