import { codeOf } from './error-code.ts';
import { Failure } from './failure.ts';

/** `unknown`: cannot be checked from here; `skipped`: an earlier link has to be fixed first. */
export type LinkState = 'ok' | 'wrong' | 'unknown' | 'skipped';

/** One link of the chain from a kernel's rings to a file, and its state. */
export interface Link {
  readonly link: string;
  readonly state: LinkState;
  /** The finding, as one line for a terminal. */
  readonly what: string;
  /** The remedy; empty when there is nothing to do. */
  readonly remedy: string;
}

/** Thrown by a check that cannot determine the state of its link; the message gives the reason. */
export class Undetermined extends Error {}

/**
 * Checks links one after another, with the functions that the other commands use. If a check throws a Failure, the link
 * is `wrong`, for the reason that the Failure gives.
 */
export class Chain {
  readonly #links: Link[] = [];

  get links(): readonly Link[] {
    return this.#links;
  }

  /**
   * @param needs links that must work before this one can be checked
   * @param check returns what it found, in words
   */
  async look(link: string, needs: readonly string[], check: () => string | Promise<string>): Promise<void> {
    const broken = needs.find((name) =>
      this.#links.some(
        (other) => other.link === name && (other.state === 'wrong' || other.state === 'skipped'),
      ),
    );
    if (broken !== undefined) {
      this.#links.push({ link, state: 'skipped', what: `fix ${broken} first`, remedy: '' });
      return;
    }
    try {
      this.#links.push({ link, state: 'ok', what: await check(), remedy: '' });
    } catch (cause) {
      if (cause instanceof Failure)
        this.#links.push({ link, state: 'wrong', what: cause.message, remedy: cause.remedy });
      else if (cause instanceof Undetermined)
        this.#links.push({ link, state: 'unknown', what: cause.message, remedy: '' });
      // the file was just removed, or this user may not read it
      else if (/^E[A-Z]+$/.test(codeOf(cause)))
        this.#links.push({
          link,
          state: 'unknown',
          what: `cannot check it (${codeOf(cause)})`,
          remedy: '',
        });
      else throw cause;
    }
  }
}

/** True when no link is `wrong`; an `unknown` link does not count as a fault. */
export function isSound(links: readonly Link[]): boolean {
  return links.every(({ state }) => state !== 'wrong');
}
