/** What an executable contains of code for its processor: Node, and koffi's native part. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { exitCode, Failure } from '../../src/base/failure.ts';
import { isOwn, type Processor } from './processor.ts';
import { tool } from './tool.ts';

export interface Parts {
  /** Node's executable, with its LICENSE two directories above. */
  readonly node: string;
  /** Directory of koffi's package with its native part. */
  readonly koffi: string;
}

/** koffi's native part for glibc, in its package. */
export function nativePartOf({ koffi }: Parts, processor: Processor): string {
  return join(koffi, `linux_${processor}/koffi.node`);
}

/**
 * The parts for a processor. For this machine's: the Node that runs this, and the koffi of the checkout `root`. For
 * another: the same versions from npm's registry, which are kept in `node_modules/.cache`. Blocks, the first time for
 * some seconds.
 * @throws Failure if npm cannot download them, or koffi differs from what package-lock.json names
 */
export function partsFor(root: string, processor: Processor): Parts {
  const koffi = koffiPackage(processor);
  if (isOwn(processor)) return { node: process.execPath, koffi: join(root, 'node_modules', koffi) };
  const lock: Lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const locked = lock.packages[`node_modules/${koffi}`];
  if (locked === undefined) throw new Failure(exitCode.failed, `package-lock.json has no ${koffi}`);

  const cache = join(root, 'node_modules/.cache/virtio-trace');
  const kept = join(cache, `linux-${processor}-node-${process.version}-koffi-${locked.version}`);
  const parts = { node: join(kept, 'node/bin/node'), koffi: join(kept, 'koffi') };
  if (existsSync(kept)) return parts;
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, '.work-'));
  try {
    if (fetchPackage(root, `${koffi}@${locked.version}`, join(work, 'koffi')) !== locked.integrity) {
      const what = `${koffi} from npm's registry is not the one that package-lock.json names`;
      throw new Failure(exitCode.failed, what, 'find out why before you build with it');
    }
    // the same version as the Node that makes the data inside the executable
    fetchPackage(root, `node-linux-${processor}@${process.version.slice(1)}`, join(work, 'node'));
    keep(work, kept);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return parts;
}

function koffiPackage(processor: Processor): string {
  return `@koromix/koffi-linux-${processor}`;
}

/** Of package-lock.json, what is used here. */
interface Lock {
  readonly packages: Readonly<Record<string, { readonly version: string; readonly integrity: string }>>;
}

/** What `npm pack --json` says of a package. */
interface Packed {
  readonly filename: string;
  readonly integrity: string;
}

/** Unpacks a package into a new directory. @returns its checksum, as in package-lock.json */
function fetchPackage(root: string, name: string, to: string): string {
  mkdirSync(to);
  const into = ['--pack-destination', dirname(to)];
  const said = tool('npm', ['pack', '--json', ...into, name], 'install npm', root);
  const [packed]: readonly Packed[] = JSON.parse(said);
  if (packed === undefined) throw new Failure(exitCode.failed, `npm pack ${name} has packed nothing`);
  const archive = join(dirname(to), packed.filename);
  tool('tar', ['-xzf', archive, '-C', to, '--strip-components=1', '--no-same-owner'], 'install tar');
  rmSync(archive);
  return packed.integrity;
}

function keep(work: string, kept: string): void {
  try {
    renameSync(work, kept);
  } catch (error) {
    // ENOTEMPTY or EEXIST: another build has just fetched the same
    if (!existsSync(kept)) throw error;
  }
}
