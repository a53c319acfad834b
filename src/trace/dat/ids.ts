/** The numbers of trace-cmd.dat.v7(5) that are used here. */

export const magic = Buffer.from('\x17\x08\x44tracing', 'latin1');

/** An option with the same number as a section gives the section's offset. */
export const sectionId = {
  options: 0,
  buffer: 3,
  strings: 15,
  headerInfo: 16,
  ftraceEvents: 17,
  eventFormats: 18,
  kallsyms: 19,
  printk: 20,
  cmdlines: 21,
} as const;

export const optionId = {
  done: 0,
  cpuStat: 2,
  buffer: 3,
  traceClock: 4,
  uname: 5,
  offset: 7,
  cpuCount: 8,
  version: 9,
  traceId: 11,
  guest: 13,
} as const;

/** Section header flag: the payload is compressed. */
export const flagCompressed = 1;

export const sectionHeaderBytes = 16;
