import { codeOf } from './error-code.ts';
import { Failure } from './failure.ts';

/** `unknown`: it cannot be told from here; `skipped`: one before it has to be mended first. */
export type LinkState = 'ok' | 'wrong' | 'unknown' | 'skipped';

/** One link of the chain from a kernel's rings to a file, as it was found. */
export interface Link {
  readonly link: string;
  readonly state: LinkState;
  /** What was found, fit for one line of a terminal. */
  readonly what: string;
  /** What to do about it; empty when there is nothing to do. */
  readonly remedy: string;
}

/** What a check throws when the answer is out of its reach; its message says why. */
export class Untold extends Error {}

/**
 * Looks at link after link. A check is the function that the other commands use as well: what it throws as a Failure
 * is what is wrong.
 */
export class Chain {
  readonly #links: Link[] = [];

  get links(): readonly Link[] {
    return this.#links;
  }

  /**
   * @param needs links without which this one says nothing
   * @param check returns what it found, in words
   */
  async look(link: string, needs: readonly string[], check: () => string | Promise<string>): Promise<void> {
    const broken = needs.find((name) =>
      this.#links.some(
        (other) => other.link === name && (other.state === 'wrong' || other.state === 'skipped'),
      ),
    );
    if (broken !== undefined) {
      this.#links.push({ link, state: 'skipped', what: `mend ${broken} first`, remedy: '' });
      return;
    }
    try {
      this.#links.push({ link, state: 'ok', what: await check(), remedy: '' });
    } catch (cause) {
      if (cause instanceof Failure)
        this.#links.push({ link, state: 'wrong', what: cause.message, remedy: cause.remedy });
      else if (cause instanceof Untold)
        this.#links.push({ link, state: 'unknown', what: cause.message, remedy: '' });
      // a file that has just gone, or that this user may not read
      else if (/^E[A-Z]+$/.test(codeOf(cause)))
        this.#links.push({
          link,
          state: 'unknown',
          what: `it cannot be looked at (${codeOf(cause)})`,
          remedy: '',
        });
      else throw cause;
    }
  }
}

/** Whether nothing is wrong; what could not be told is not. */
export function isSound(links: readonly Link[]): boolean {
  return links.every(({ state }) => state !== 'wrong');
}
