import type { RecordData } from '../../trace/format/record-data.ts';
import type { PrintContext } from '../event/context.ts';
import type { PrintFields } from '../format/print-field.ts';
import type { TextBuffer } from '../text/text-buffer.ts';
import type { Value } from '../value/value.ts';
import {
  functionAt,
  type MakeHandler,
  numberField,
  writeFunctionName,
  writeHex,
  writeMissing,
  writeSigned,
  writeUnsigned,
} from './handler.ts';

function writeNotFound(out: TextBuffer, name: string): void {
  out.string(`CAN'T FIND FIELD "${name}"`);
}

/** `timer:hrtimer_expire_entry` */
export const timerExpireHandler: MakeHandler = ({ fields, context }) => {
  const timer = numberField(fields, 'timer') ?? numberField(fields, 'hrtimer');
  const now = numberField(fields, 'now');
  const timerFunction = numberField(fields, 'function');
  return (record, out) => {
    writeTimer(out, timer, record);
    out.string(' now=');
    if (now === undefined) writeNotFound(out, 'now');
    else writeUnsigned(out, now, record);
    writeTimerFunction(out, context, timerFunction, record);
    return false;
  };
};

/** `timer:hrtimer_start` */
export const timerStartHandler: MakeHandler = ({ fields, context }) => {
  const timer = numberField(fields, 'timer') ?? numberField(fields, 'hrtimer');
  const timerFunction = numberField(fields, 'function');
  const expires = numberField(fields, 'expires');
  const softExpires = numberField(fields, 'softexpires');
  return (record, out) => {
    writeTimer(out, timer, record);
    writeTimerFunction(out, context, timerFunction, record);
    out.string(' expires=');
    if (expires === undefined) writeNotFound(out, 'expires');
    else writeUnsigned(out, expires, record);
    out.string(' softexpires=');
    if (softExpires === undefined) writeNotFound(out, 'softexpires');
    else writeUnsigned(out, softExpires, record);
    return false;
  };
};

function writeTimer(out: TextBuffer, timer: Value | undefined, record: RecordData): void {
  out.string('hrtimer=');
  if (timer === undefined) {
    writeNotFound(out, 'hrtimer');
    return;
  }
  out.string('0x');
  writeHex(out, timer, record);
}

/** ` function=name/0xOFFSET`, with the offset that libtraceevent computes: start minus address. */
function writeTimerFunction(
  out: TextBuffer,
  context: PrintContext,
  value: Value | undefined,
  record: RecordData,
): void {
  if (value === undefined) return;
  out.string(' function=');
  const index = functionAt(context, value, record);
  const address = value.big(record);
  if (index < 0) {
    out.string(`0x${address.toString(16).padStart(8, '0')}`);
    return;
  }
  writeFunctionName(out, context, index);
  const offset = BigInt.asUintN(64, context.functionMap().address(index) - address);
  out.string(`/0x${offset.toString(16)}`);
}

/** `kmem` allocations: the calling function before the usual text. */
export const callSiteHandler: MakeHandler = ({ fields, context }) => {
  const callSite = numberField(fields, 'call_site');
  return (record, out) => {
    if (callSite === undefined) return true;
    const index = functionAt(context, callSite, record);
    if (index < 0) return true;
    out.string('(');
    writeFunctionName(out, context, index);
    const offset = callSite.big(record) - context.functionMap().address(index);
    out.string(`+0x${BigInt.asUintN(32, offset).toString(16)}) `);
    return true;
  };
};

const flushReasons = [
  'flush on task switch',
  'remote shootdown',
  'local shootdown',
  'local mm shootdown',
] as const;

/** `tlb:tlb_flush` */
export const tlbFlushHandler: MakeHandler = ({ fields }) => {
  const pages = numberField(fields, 'pages');
  const reason = numberField(fields, 'reason');
  return (record, out) => {
    out.string('pages=');
    if (pages === undefined) writeNotFound(out, 'pages');
    else writeSigned(out, pages, record);
    if (reason === undefined) {
      writeMissing(out, fields, 'reason');
      return true;
    }
    out.string(` reason=${flushReasons[reason.number(record)] ?? ''} (`);
    writeSigned(out, reason, record);
    out.string(')');
    return false;
  };
};

/**
 * Futex operations, with the format of each argument `val utime uaddr2 val3`: `x` is hexadecimal, `u` decimal, `-` not
 * printed. An `utime` in decimal is printed as `val2`.
 */
const futexOperations: readonly (readonly [name: string, args: string])[] = [
  ['FUTEX_WAIT', 'xx--'],
  ['FUTEX_WAKE', 'u---'],
  ['FUTEX_FD', 'u---'],
  ['FUTEX_REQUEUE', 'uux-'],
  ['FUTEX_CMP_REQUEUE', 'uuxx'],
  ['FUTEX_WAKE_OP', 'uuxx'],
  ['FUTEX_LOCK_PI', '-x--'],
  ['FUTEX_UNLOCK_PI', '----'],
  ['FUTEX_TRYLOCK_PI', '----'],
  ['FUTEX_WAIT_BITSET', 'xx-x'],
  ['FUTEX_WAKE_BITSET', 'u--x'],
  ['FUTEX_WAIT_REQUEUE_PI', 'xxxx'],
  ['FUTEX_CMP_REQUEUE_PI', 'uuxx'],
];

const futexPrivate = 128n;
const futexClockRealtime = 256n;
const futexArgs = ['val', 'utime', 'uaddr2', 'val3'] as const;

/** `syscalls:sys_enter_futex` */
export const futexHandler: MakeHandler = ({ fields }) => {
  const all = ['uaddr', 'op', ...futexArgs].map((name) => [name, numberField(fields, name)] as const);
  return (record, out) => {
    for (const [name, value] of all) {
      if (value !== undefined) continue;
      writeMissing(out, fields, name);
      return true;
    }
    const read = (name: string): bigint => all.find(([each]) => each === name)![1]!.big(record);
    const op = read('op');
    const found = futexOperations[Number(BigInt.asUintN(32, op & ~(futexPrivate | futexClockRealtime)))];
    if (found === undefined || op >> 32n !== 0n) return true;
    const [name, forms] = found;
    const hex = (value: bigint): string => `0x${value.toString(16).padStart(8, '0')}`;
    out.string(`op=${name}`);
    if ((op & futexPrivate) !== 0n) out.string('|FUTEX_PRIVATE_FLAG');
    if ((op & futexClockRealtime) !== 0n) out.string('|FUTEX_CLOCK_REALTIME');
    out.string(` uaddr=${hex(read('uaddr'))}`);
    for (const [index, arg] of futexArgs.entries()) {
      if (forms[index] === 'x') out.string(` ${arg}=${hex(read(arg))}`);
      else if (forms[index] === 'u') out.string(` ${arg === 'utime' ? 'val2' : arg}=${read(arg)}`);
    }
    return false;
  };
};

const bssIndent = 65;
/** Fields to print: as `name:%d`, or as `name:%#x` if marked with `#`; `|` begins a new line. */
const bssFields = 'assoc aid cts shortpre shortslot dtimper | bcnint #assoc_cap #basic_rates enable_beacon';

/** `mac80211:drv_bss_info_changed` */
export const bssInfoHandler: MakeHandler = ({ fields }) => {
  const vifType = numberField(fields, 'vif_type');
  return (record, out) => {
    writeTextField(out, fields, 'wiphy_name', record);
    out.string(' vif:');
    writeTextField(out, fields, 'vif_name', record);
    if (vifType === undefined) writeNotFound(out, 'vif_type');
    else out.string(`(${BigInt.asIntN(32, vifType.big(record))})`);
    const newLine = `\n${' '.repeat(bssIndent)}`;
    out.string(newLine);
    for (const part of bssFields.split(' ')) {
      if (part === '|') {
        out.string(newLine);
        continue;
      }
      writeNamed(out, fields, part, record);
      if (part !== 'enable_beacon') out.string(' ');
    }
    out.string(newLine);
    writeNamed(out, fields, 'ht_operation_mode', record);
    return false;
  };
};

function writeNamed(out: TextBuffer, fields: PrintFields, part: string, record: RecordData): void {
  const name = part.replace('#', '');
  const value = numberField(fields, name)?.big(record);
  if (value === undefined) return;
  const word = BigInt.asUintN(32, value);
  const hex = word === 0n ? '0' : `0x${word.toString(16)}`;
  out.string(`${name}:${part.startsWith('#') ? hex : BigInt.asIntN(32, value)}`);
}

function writeTextField(out: TextBuffer, fields: PrintFields, name: string, record: RecordData): void {
  const field = fields.find(name);
  if (field === undefined) {
    out.string(`NOTFOUND:${name}`);
    return;
  }
  let { offset, size } = field;
  if (field.isDynamic && offset + 4 <= record.dataBytes) {
    const word = record.view.getUint32(record.dataOffset + offset, true);
    offset = word & 0xffff;
    size = word >>> 16;
  }
  const start = record.dataOffset + offset;
  const end = Math.min(start + size, record.dataOffset + record.dataBytes);
  let stop = start;
  while (stop < end && record.page[stop] !== 0) stop++;
  if (stop > start) out.copy(record.page, start, stop);
}
