/** Whether the functions of a trace have names; hidden: the guest showed each address as zero, or showed none at all. */
export type Symbols = 'shown' | 'hidden' | 'missing';

/** Of the text of a kallsyms, or of its beginning: of some thousand lines only the first few are at zero. */
export function symbolsIn(kallsyms: Buffer): Symbols {
  const text = kallsyms.toString('latin1');
  if (/^0*[1-9a-f][0-9a-f]* /m.test(text)) return 'shown';
  return /^0+ /m.test(text) ? 'hidden' : 'missing';
}

/** Of a guest's metadata: an agent that tells of `kernel.kptr_restrict` has looked for symbols, and leaves hidden ones out. */
export function symbolsOf(contents: ReadonlyMap<string, Buffer>): Symbols {
  const found = symbolsIn(contents.get('kallsyms') ?? Buffer.alloc(0));
  return found === 'missing' && contents.has('kptr_restrict') ? 'hidden' : found;
}
