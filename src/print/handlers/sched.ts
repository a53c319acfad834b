import type { RecordData } from '../../trace/format/record-data.ts';
import type { PrintContext } from '../event/context.ts';
import type { PrintField } from '../format/print-field.ts';
import type { TextBuffer } from '../text/text-buffer.ts';
import { low32, type Value } from '../value/value.ts';
import {
  type MakeHandler,
  missing,
  numberField,
  writeMissing,
  writeSigned,
  writeUnsigned,
} from './handler.ts';

const colon = 0x3a;
const bar = 0x7c;
const states = Buffer.from('SDTtZXxW');
const running = 0x52;

/** Writes a task's state, one letter per bit. */
function writeState(out: TextBuffer, value: number): void {
  let isFirst = true;
  for (let bit = 0; bit < states.length; bit++) {
    if ((value & (1 << bit)) === 0) continue;
    if (!isFirst) out.byte(bar);
    isFirst = false;
    out.byte(states[bit]!);
  }
  if (isFirst) out.byte(running);
}

/** Writes `comm:` and remembers the name for events of that task. */
function writeComm(
  out: TextBuffer,
  context: PrintContext,
  comm: PrintField | undefined,
  pid: Value,
  record: RecordData,
): void {
  if (comm === undefined) return;
  const start = record.dataOffset + comm.offset;
  const end = Math.min(start + comm.size, record.dataOffset + record.dataBytes);
  let stop = start;
  while (stop < end && record.page[stop] !== 0) stop++;
  out.copy(record.page, start, stop);
  context.taskNames.learn(low32(pid, record) | 0, record.page, start, stop);
  out.byte(colon);
}

/** `sched:sched_switch`: `comm:pid [prio] state ==> comm:pid [prio]`. */
export const schedSwitchHandler: MakeHandler = ({ fields, context }) => {
  const prevPid = numberField(fields, 'prev_pid');
  const prevComm = fields.findAny('prev_comm');
  const prevPrio = numberField(fields, 'prev_prio');
  const prevState = numberField(fields, 'prev_state');
  const nextPid = numberField(fields, 'next_pid');
  const nextComm = fields.findAny('next_comm');
  const nextPrio = numberField(fields, 'next_prio');
  if (prevPid === undefined) return missing(fields, 'prev_pid');
  return (record, out) => {
    writeComm(out, context, prevComm, prevPid, record);
    writeSigned(out, prevPid, record);
    out.string(' ');
    if (prevPrio === undefined) writeMissing(out, fields, 'prev_prio');
    else {
      out.string('[');
      out.decimal(low32(prevPrio, record) | 0);
      out.string('] ');
    }
    if (prevState === undefined) writeMissing(out, fields, 'prev_state');
    else writeState(out, low32(prevState, record));
    out.string(' ==> ');
    if (nextPid === undefined) {
      writeMissing(out, fields, 'next_pid');
      out.string('!');
      return true;
    }
    writeComm(out, context, nextComm, nextPid, record);
    writeSigned(out, nextPid, record);
    if (nextPrio === undefined) writeMissing(out, fields, 'next_prio');
    else {
      out.string(' [');
      out.decimal(low32(nextPrio, record) | 0);
      out.string(']');
    }
    return false;
  };
};

/** `sched:sched_wakeup` and `sched_wakeup_new`: `comm:pid [prio] success=1 CPU:000`. */
export const schedWakeupHandler: MakeHandler = ({ fields, context }) => {
  const pid = numberField(fields, 'pid');
  const comm = fields.findAny('comm');
  const prio = numberField(fields, 'prio');
  const success = numberField(fields, 'success');
  const targetCpu = numberField(fields, 'target_cpu');
  if (pid === undefined) return missing(fields, 'pid');
  return (record, out) => {
    writeComm(out, context, comm, pid, record);
    writeSigned(out, pid, record);
    if (prio === undefined) writeMissing(out, fields, 'prio');
    else {
      out.string(' [');
      writeSigned(out, prio, record);
      out.string(']');
    }
    if (success !== undefined) {
      out.string(' success=');
      writeSigned(out, success, record);
    }
    if (targetCpu !== undefined) {
      out.string(' CPU:');
      const cpu = targetCpu.number(record);
      if (cpu >= 0 && cpu < 1000) out.zeroPadded(cpu, 3);
      else writeUnsigned(out, targetCpu, record);
    }
    return false;
  };
};
