import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { exitCode, Failure } from '../../base/failure.ts';
import { printable } from '../../base/quoted.ts';
import type { GuestDir } from '../guest-dir/guest-dir.ts';

/** Directories with rules, see tmpfiles.d(5); a file overrides those of the same name in later directories. */
const ruleDirs = ['/etc/tmpfiles.d', '/run/tmpfiles.d', '/usr/local/lib/tmpfiles.d', '/usr/lib/tmpfiles.d'];

export interface CleaningRule {
  readonly file: string;
  readonly line: string;
  /** The path that the rule cleans. */
  readonly path: string;
  readonly age: string;
}

/** Checks that systemd-tmpfiles leaves a guest's files alone. @throws Failure that names the rule that removes them */
export function tmpfilesLink(guest: GuestDir): string {
  if (!existsSync('/run/systemd/system'))
    return 'systemd is not running, so its tmpfiles rules have no effect';
  const rule = cleaningRule(guest.path);
  if (rule === undefined) return 'no rule cleans the directory';
  const [unkept] = guest.unkept();
  if (unkept === undefined)
    return `${rule.file} cleans the directory after ${rule.age}, but the sticky bit protects all files`;
  throw new Failure(
    exitCode.failed,
    `${rule.file} lets systemd-tmpfiles remove ${unkept} from ${printable(guest.path)} after ${rule.age}: ${printable(rule.line)}`,
    `set the sticky bit on them: trace-host setup${guest.options} --cpus ${Math.max(1, guest.cpus.length)}`,
  );
}

/**
 * The rule of systemd-tmpfiles that removes old files below a directory; undefined when there is none. Such a rule also
 * removes FIFOs that QEMU has open, because their times do not change.
 * @param dir absolute
 */
export function cleaningRule(dir: string, dirs: readonly string[] = ruleDirs): CleaningRule | undefined {
  const rules = rulesIn(dirs);
  const isSpared = rules.some(({ type, path }) => /^[xX]/.test(type) && covers(path, dir));
  if (isSpared) return undefined;
  const cleaning = rules
    .filter(
      ({ type, path, age }) => /^[dDvqQeCm]/.test(type) && age !== '' && age !== '-' && covers(path, dir),
    )
    // the rule with the longest path decides
    .sort((a, b) => b.path.length - a.path.length)
    .at(0);
  if (cleaning === undefined) return undefined;
  // a rule with a longer path but without an age disables cleaning
  const nearer = rules.find(
    ({ type, path, age }) =>
      /^[dDvqQe]/.test(type) &&
      (age === '' || age === '-') &&
      path.length > cleaning.path.length &&
      covers(path, dir),
  );
  return nearer === undefined ? cleaning : undefined;
}

interface Rule extends CleaningRule {
  readonly type: string;
}

function rulesIn(dirs: readonly string[]): Rule[] {
  const files = new Map<string, string>();
  for (const dir of dirs)
    for (const name of namesIn(dir)) if (!files.has(name)) files.set(name, join(dir, name));
  return [...files.values()].flatMap((file) =>
    textOf(file)
      .split('\n')
      .filter((line) => /^[A-Za-z]/.test(line))
      .map((line) => {
        const [type = '', path = '', , , , age = ''] = line.trim().split(/\s+/);
        return { file, line: line.trim(), type, path: path.replace(/(.)\/$/, '$1'), age };
      }),
  );
}

/** Whether a rule's path, with shell globs, is the directory or above it. */
function covers(path: string, dir: string): boolean {
  const pattern = path
    .replaceAll(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '[^/]*')
    .replaceAll('?', '[^/]');
  try {
    return new RegExp(`^${pattern}(?:/|$)`).test(dir);
  } catch {
    return false;
  }
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir).filter((name) => name.endsWith('.conf'));
  } catch {
    return [];
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
