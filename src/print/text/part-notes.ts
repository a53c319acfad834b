/** What the text of a part leaves open, because it depends on events before the part. */
export const noteKind = {
  /** The name of a task that the part did not know: `a` is its pid, `b` the length of what was written. */
  label: 0,
  /** The part names a task: `a` is its pid, `b` the index of the name. */
  learned: 1,
  /** The indent of a function: `a` is the CPU, `b` the caller, `c` the called one or -1. Nothing was written. */
  indent: 2,
  /** The same for the events of repeated calls, which have stacks of their own. */
  indentOfRepeats: 3,
  /** A number for a function's name: `a` is the number, `b` the index of the name. */
  functionName: 4,
  /** The time since the line before the part: `a` is the index of the line's time. Nothing was written. */
  difference: 5,
} as const;

/** Number of integers in a note: kind, input, offset in the text, `a`, `b`, `c`. */
export const noteLength = 6;

/** Notes about a piece of text. */
export interface NotedPiece {
  readonly notes: Int32Array;
  readonly texts: readonly (Uint8Array | string | bigint)[];
}

/** Collects notes while the text of a part is printed. */
export class PartNotes {
  /** Whether something was printed that depends on more than a part of the events and the notes. */
  isDoubtful = false;
  #notes = new Int32Array(noteLength * 64);
  #length = 0;
  #texts: (Uint8Array | string | bigint)[] = [];

  add(kind: number, input: number, offset: number, a: number, b: number, c: number): void {
    if (this.#length === this.#notes.length) {
      const grown = new Int32Array(this.#length * 2);
      grown.set(this.#notes);
      this.#notes = grown;
    }
    const notes = this.#notes;
    let at = this.#length;
    notes[at++] = kind;
    notes[at++] = input;
    notes[at++] = offset;
    notes[at++] = a;
    notes[at++] = b;
    notes[at++] = c;
    this.#length = at;
  }

  /** @returns the index of the text */
  text(text: Uint8Array | string | bigint): number {
    return this.#texts.push(text) - 1;
  }

  /** The notes since the last call. */
  take(): NotedPiece {
    const piece = { notes: this.#notes.slice(0, this.#length), texts: this.#texts };
    this.#length = 0;
    this.#texts = [];
    return piece;
  }
}

/** The notes about the text of one input. */
export interface InputNotes {
  readonly notes: PartNotes;
  readonly input: number;
}
