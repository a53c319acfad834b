import { errorCode } from '../../base/error-code.ts';
import type { Applied } from './applied.ts';
import { attempt } from './attempt.ts';
import { type FunctionField, functionFiles, listedFunctions } from './function-lists.ts';
import { SettingsError } from './settings-error.ts';
import { Tracefs } from '../tracefs.ts';

/**
 * A list with more functions than this is not replaced. Restoring it would be slow: the kernel looks up each name by
 * comparing it with the names of all functions.
 */
const maxListed = 4096;

/**
 * Replaces a list of functions. Call this before the tracer starts; the old list is restored after the tracer is
 * removed.
 */
export function setFunctions(
  tracefs: Tracefs,
  applied: Applied,
  field: FunctionField,
  functions: readonly string[],
): void {
  const file = functionFiles[field];
  // All instances share set_graph_function.
  const owner = field === 'graphFunctions' ? new Tracefs(tracefs.root) : tracefs;
  attempt('failed', `${field} (${file})`, () => {
    const old = owner.read(file);
    const listed = listedFunctions(field, old);
    if (listed.length > maxListed) {
      throw new SettingsError(
        'busy',
        `${file} has ${listed.length} functions already, more than the ${maxListed} that can be restored; empty it first`,
      );
    }
    applied.remember('restore', file, () => {
      // Compares the lists, not the texts: the count of a trigger may have changed.
      if (listedFunctions(field, owner.read(file)).join() === listed.join()) return;
      owner.writeList(file, listed, writeIfKnown);
    });
    owner.writeList(file, functions, (name, write) =>
      attempt('unknown-function', `${field} ${JSON.stringify(name)}`, write, (errno) =>
        errno === 'EINVAL' ? 'this kernel has no such function to trace' : undefined,
      ),
    );
  });
}

/** Ignores EINVAL: functions of an unloaded module cannot be restored. */
function writeIfKnown(_name: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    if (errorCode(error) !== 'EINVAL') throw error;
  }
}
