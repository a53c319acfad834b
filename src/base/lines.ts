/** Returns the lines of a text one at a time: `split` would create millions of strings at once from a hostile text. */
export function* linesOf(text: string): Generator<string, void, undefined> {
  for (let from = 0; ; ) {
    const end = text.indexOf('\n', from);
    if (end < 0) {
      yield text.slice(from);
      return;
    }
    yield text.slice(from, end);
    from = end + 1;
  }
}
