import { errorCode } from '../../base/error-code.ts';

/** A tracefs file that did not take its old value back, and the errno's name. */
export interface RestoreFailure {
  readonly file: string;
  readonly errno: string;
}

interface Undo {
  readonly file: string;
  readonly run: () => void;
}

/**
 * Settings in force, and the old value of everything that was changed for them. Put back in two steps, as the
 * rings are to be emptied between them: `quiesce` ends what fills them, `restore` does what would lose their
 * content (a new clock empties a ring, a smaller one drops pages) or needs them closed (a tracer).
 */
export class Applied {
  /** Whether `restore` needs every ring of the instance closed; else the kernel says EBUSY to the old tracer. */
  readonly needsClosedRings: boolean;
  readonly #quiet: Undo[] = [];
  readonly #rest: Undo[] = [];

  constructor(needsClosed: boolean) {
    this.needsClosedRings = needsClosed;
  }

  /** To be called before the change; the last one remembered is the first one put back. */
  remember(step: 'quiesce' | 'restore', file: string, run: () => void): void {
    (step === 'quiesce' ? this.#quiet : this.#rest).push({ file, run });
  }

  /**
   * Puts events, filters and `tracing_on` back. Settings with a tracer leave tracing off until `restore`, as the
   * tracer itself cannot be taken away while the rings are open. Goes on past failures and returns them; what
   * failed is tried again at the next call, what is done is not done twice.
   */
  quiesce(): RestoreFailure[] {
    return unwind(this.#quiet);
  }

  /** As `quiesce` (which it begins with), then tracer, clock, sizes and percentage. */
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
      // An event whose module was unloaded, an instance that was removed: nothing is left to put back.
      if (errno === 'ENOENT' || errno === 'ENODEV') continue;
      failed.unshift(undo);
      failures.push({ file: undo.file, errno });
    }
  }
  undos.push(...failed);
  return failures;
}
