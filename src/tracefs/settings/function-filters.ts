import { errorCode } from '../../base/error-code.ts';
import type { Applied } from './applied.ts';
import { attempt } from './attempt.ts';
import { type FunctionField, functionFiles, listedFunctions } from './function-lists.ts';
import { SettingsError } from './settings-error.ts';
import { Tracefs } from '../tracefs.ts';

/** The kernel compares each name with all functions it has. */
const maxListed = 4096;

/** In force before the tracer is, and until it is gone. */
export function setFunctions(
  tracefs: Tracefs,
  applied: Applied,
  field: FunctionField,
  functions: readonly string[],
): void {
  const file = functionFiles[field];
  // All instances share what function_graph follows.
  const owner = field === 'graphFunctions' ? new Tracefs(tracefs.root) : tracefs;
  attempt('failed', `${field} (${file})`, () => {
    const old = owner.read(file);
    const listed = listedFunctions(field, old);
    if (listed.length > maxListed) {
      throw new SettingsError(
        'busy',
        `${file} has ${listed.length} functions already, more than the ${maxListed} that could be put back; empty it first`,
      );
    }
    applied.remember('restore', file, () => {
      // A trigger's own count may be another by now.
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

/** A function that went with its module is not to be put back. */
function writeIfKnown(_name: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    if (errorCode(error) !== 'EINVAL') throw error;
  }
}
