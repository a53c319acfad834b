import { EventEmitter } from 'node:events';

/** What has changed. */
export type Change = 'guests' | 'jobs' | 'recordings';

/** Tells those who listen that something has changed, at most once for each turn of the event loop. */
export class Bus {
  readonly #emitter = new EventEmitter().setMaxListeners(0);
  readonly #pending = new Set<Change>();

  changed(what: Change): void {
    if (this.#pending.size === 0)
      setImmediate(() => {
        const changes = [...this.#pending];
        this.#pending.clear();
        for (const change of changes) this.#emitter.emit('change', change);
      });
    this.#pending.add(what);
  }

  /** @returns a function that ends it */
  listen(heard: (what: Change) => void): () => void {
    this.#emitter.on('change', heard);
    return () => this.#emitter.off('change', heard);
  }
}
