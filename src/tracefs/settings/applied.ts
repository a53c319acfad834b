import { errorCode } from '../../base/error-code.ts';

/** A tracefs file whose old value could not be restored, and the errno's name. */
export interface RestoreFailure {
  readonly file: string;
  readonly errno: string;
}

interface Undo {
  readonly file: string;
  readonly run: () => void;
}

/**
 * Active settings, and the old value of everything that was changed for them. Restored in two steps, because the rings
 * are emptied in between: `quiesce` stops what fills them; `restore` does what would lose the rings' content (a new
 * clock empties a ring, a smaller size drops pages) or needs the rings closed (a tracer).
 */
export class Applied {
  /**
   * Whether `restore` needs every ring of the instance closed: while one is open, the kernel answers EBUSY to the old
   * tracer.
   */
  readonly needsClosedRings: boolean;
  readonly #quiet: Undo[] = [];
  readonly #rest: Undo[] = [];

  constructor(needsClosed: boolean) {
    this.needsClosedRings = needsClosed;
  }

  /** Call this before the change; changes are undone in reverse order. */
  remember(step: 'quiesce' | 'restore', file: string, run: () => void): void {
    (step === 'quiesce' ? this.#quiet : this.#rest).push({ file, run });
  }

  /**
   * Restores events, filters and `tracing_on`. Settings with a tracer leave tracing off until `restore`, because the
   * tracer cannot be removed while the rings are open. Continues after failures and returns them; the next call
   * retries only what failed.
   */
  quiesce(): RestoreFailure[] {
    return unwind(this.#quiet);
  }

  /** Calls `quiesce`, then restores tracer, clock, sizes and percentage. */
  restore(): RestoreFailure[] {
    return [...unwind(this.#quiet), ...unwind(this.#rest)];
  }
}

function unwind(undos: Undo[]): RestoreFailure[] {
  const failures: RestoreFailure[] = [];
  const failed: Undo[] = [];
  for (const undo of undos.splice(0).toReversed()) {
    try {
      undo.run();
    } catch (error) {
      const errno = errorCode(error);
      if (errno === '') throw error;
      // The event's module was unloaded, or the instance was removed: nothing to restore.
      if (errno === 'ENOENT' || errno === 'ENODEV') continue;
      failed.unshift(undo);
      failures.push({ file: undo.file, errno });
    }
  }
  undos.push(...failed);
  return failures;
}
