/** SCSI opcodes whose arguments are printed. */
const opcode = {
  read6: 0x08,
  write6: 0x0a,
  read10: 0x28,
  write10: 0x2a,
  verify: 0x2f,
  writeSame: 0x41,
  unmap: 0x42,
  variableLength: 0x7f,
  read16: 0x88,
  write16: 0x8a,
  verify16: 0x8f,
  writeSame16: 0x93,
  serviceActionIn16: 0x9e,
  read12: 0xa8,
  write12: 0xaa,
  verify12: 0xaf,
} as const;

const serviceActions16: ReadonlyMap<number, string> = new Map([
  [0x10, 'READ_CAPACITY_16'],
  [0x12, 'GET_LBA_STATUS'],
]);

const serviceActions32: ReadonlyMap<number, string> = new Map([
  [0x09, 'READ'],
  [0x0a, 'VERIFY'],
  [0x0b, 'WRITE'],
  [0x0d, 'WRITE_SAME'],
]);

/** The block address, length and flags of a SCSI command; `-` if the command is not known. Missing bytes count as 0. */
export function scsiCommandText(bytes: Uint8Array): string {
  const at = (index: number): number => bytes[index] ?? 0;
  // big-endian; libtraceevent computes the low 32 bits as a C int, which is sign-extended into the high ones
  const word = (index: number): bigint =>
    BigInt((at(index) << 24) | (at(index + 1) << 16) | (at(index + 2) << 8) | at(index + 3));
  const wide = (high: bigint, low: bigint): bigint => BigInt.asUintN(64, (high << 32n) | low);
  const short = (index: number): number => (at(index) << 8) | at(index + 1);
  const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value);
  const protect = at(1) >> 5;
  const unmapBit = (index: number): string => ` unmap=${(at(index) >> 3) & 1}`;
  switch (at(0)) {
    case opcode.read6:
    case opcode.write6:
      return `lba=${((at(1) & 0x1f) << 16) | short(2)} txlen=${at(4)}`;
    case opcode.read10:
    case opcode.verify:
    case opcode.write10:
    case opcode.writeSame: {
      const text = `lba=${unsigned(word(2))} txlen=${short(7)} protect=${protect}`;
      return at(0) === opcode.writeSame ? text + unmapBit(1) : text;
    }
    case opcode.read12:
    case opcode.verify12:
    case opcode.write12:
      return `lba=${unsigned(word(2))} txlen=${unsigned(word(6))} protect=${protect}`;
    case opcode.read16:
    case opcode.verify16:
    case opcode.write16:
    case opcode.writeSame16: {
      const lba = wide(BigInt.asUintN(32, word(2)), word(6));
      const text = `lba=${lba} txlen=${unsigned(word(10))} protect=${protect}`;
      return at(0) === opcode.writeSame16 ? text + unmapBit(1) : text;
    }
    case opcode.unmap:
      return `regions=${Math.floor(((short(7) - 8) >>> 0) / 16)}`;
    case opcode.serviceActionIn16: {
      const action = serviceActions16.get(at(1) & 0x1f);
      if (action === undefined) return 'UNKNOWN';
      const lba = wide(BigInt.asUintN(32, word(2)), word(6));
      return `${action} lba=${lba} alloc_len=${BigInt.asUintN(32, word(10))}`;
    }
    case opcode.variableLength: {
      const action = serviceActions32.get(short(8));
      if (action === undefined) return '-';
      const lba = wide(BigInt.asUintN(32, word(12)), word(16));
      const text =
        `${action}_32 lba=${lba} txlen=${unsigned(word(28))} protect=${at(10) >> 5} ` +
        `ei_lbrt=${BigInt.asUintN(32, word(20))}`;
      return action === 'WRITE_SAME' ? text + unmapBit(10) : text;
    }
    default:
      return '-';
  }
}
