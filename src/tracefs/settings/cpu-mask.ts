/** The CPUs of a mask as the kernel writes it: hexadecimal, a comma every 32 bits. `-1` is all of `possible`. */
export function cpusOfMask(mask: string, possible: readonly number[]): number[] {
  if (mask === '-1') return [...possible];
  const bits = BigInt(`0x${mask.replaceAll(',', '')}`).toString(2);
  return Array.from(bits)
    .flatMap((bit, index) => (bit === '1' ? [bits.length - 1 - index] : []))
    .toReversed();
}

/** Formats CPUs as a mask that `cpusOfMask` reads. */
export function maskOfCpus(cpus: readonly number[]): string {
  const digits = cpus.reduce((mask, cpu) => mask | (1n << BigInt(cpu)), 0n).toString(16);
  return digits.replace(/(?<=.)(?=(?:.{8})+$)/g, ',');
}
