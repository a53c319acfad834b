import { after, before } from 'node:test';
import { Failure } from '../../src/base/failure.ts';
import { ensureInstance, removeInstance } from '../../src/tracefs/instance.ts';
import { locateTracefs } from '../../src/tracefs/locate.ts';
import { Tracefs } from '../../src/tracefs/tracefs.ts';

/** The reason why tests with this machine's tracefs cannot run; false when they can. With CI=true they must. */
export function tracefsSkip(): string | false {
  try {
    locateTracefs();
    return false;
  } catch (error) {
    if (!(error instanceof Failure) || process.env['CI'] === 'true') throw error;
    return `${error.message}: ${error.remedy}`;
  }
}

let made = 0;

/** Call this in a suite: gives its tests their own instance, removed after the last one. */
export function ownInstance(): { tracefs: Tracefs } {
  const name = `vt-test-${process.pid}-${made++}`;
  const own = { tracefs: new Tracefs('/nowhere') };
  before(() => {
    const root = locateTracefs();
    ensureInstance(root, name);
    own.tracefs = new Tracefs(root, name);
  });
  after(() => removeInstance(own.tracefs.root, name));
  return own;
}
