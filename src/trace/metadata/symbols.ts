/** Whether kernel functions have names; 'hidden': the guest shows all addresses as zero, or no symbols at all. */
export type Symbols = 'shown' | 'hidden' | 'missing';

/**
 * Checks the text of kallsyms. Its first few thousand lines are enough: only the first few symbols have address zero.
 */
export function symbolsIn(kallsyms: Buffer): Symbols {
  const text = kallsyms.toString('latin1');
  if (/^0*[1-9a-f][0-9a-f]* /m.test(text)) return 'shown';
  return /^0+ /m.test(text) ? 'hidden' : 'missing';
}

/** Checks a guest's metadata. An agent that sends `kptr_restrict` has checked for symbols and skips hidden ones. */
export function symbolsOf(contents: ReadonlyMap<string, Buffer>): Symbols {
  const found = symbolsIn(contents.get('kallsyms') ?? Buffer.alloc(0));
  return found === 'missing' && contents.has('kptr_restrict') ? 'hidden' : found;
}
