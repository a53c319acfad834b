/** Number of low bits that a cast to the type keeps; 64 for types that change nothing. */
export function castBits(type: string): number {
  if (type.length < 2 || type.endsWith('*') || type.startsWith('struct')) return 64;
  switch (type.replace(/^unsigned /, '')) {
    case 'u8':
    case 's8':
    case 'char':
      return 8;
    case 'u16':
    case 's16':
    case 'short':
      return 16;
    case 'u32':
    case 's32':
    case 'int':
      return 32;
    default:
      return 64;
  }
}

/** libtraceevent never sign-extends: a cast only truncates. */
export function castValue(type: string, value: bigint): bigint {
  return BigInt.asUintN(castBits(type), value);
}
