import { casesOf } from './case.ts';
import type { Case } from '../made-file.ts';

/** A command of 32 bytes, as in the record of the event. */
function command(what: string, bytes: string): Case {
  const all = bytes.split(' ');
  const padded = [...all, ...Array.from({ length: 32 - all.length }, () => '00')].join(' ');
  return casesOf('scsi:scsi_dispatch_cmd_start')(
    what,
    `unsigned int cmd_len = ${all.length}; __data_loc unsigned char[] cmnd = ${padded}`,
    '"cmnd=(%s)", scsi_trace_parse_cdb(p, __get_dynamic_array(cmnd), REC->cmd_len)',
  );
}

const low = '01 02 03 04';
const high = '81 02 83 84';

/** SCSI commands. */
export const scsiCases = [
  command('READ_6', '08 21 02 03 04 00'),
  command('WRITE_6', '0a 1f ff ff 00 00'),
  command('READ_10', `28 60 ${low} 00 12 34 00`),
  command('WRITE_10', `2a 00 ${high} 00 ff ff 00`),
  command('VERIFY', `2f e0 ${low} 00 12 34 00`),
  command('WRITE_SAME', `41 08 ${low} 00 12 34 00`),
  command('UNMAP', '42 00 00 00 00 00 00 00 28 00'),
  command('UNMAP, too short', '42 00 00 00 00 00 00 00 04 00'),
  command('READ_12', `a8 60 ${low} 00 00 12 34 00 00`),
  command('WRITE_12', `aa 60 ${high} ${high} 00 00`),
  command('VERIFY_12', `af 60 ${high} ${low} 00 00`),
  command('READ_16', `88 60 ${low} ${low} 00 00 12 34 00 00`),
  command('WRITE_16', `8a 60 ${high} ${high} ${high} 00 00`),
  command('VERIFY_16', `8f 60 ${low} ${high} ${low} 00 00`),
  command('WRITE_SAME_16', `93 68 ${low} ${low} 00 00 12 34 00 00`),
  command('READ_CAPACITY_16', `9e 10 ${low} ${low} 00 00 12 34 00 00`),
  command('GET_LBA_STATUS', `9e 12 ${high} ${high} ${high} 00 00`),
  command('unknown service action', `9e 01 ${high} ${high} ${high} 00 00`),
  command('READ_32', `7f 00 00 00 00 00 00 18 00 09 60 00 ${low} ${low} 00 00 00 07 00 00 00 00 00 00 12 34`),
  command('VERIFY_32', `7f 00 00 00 00 00 00 18 00 0a 60 00 ${high} ${high} ${high} 00 00 00 00 ${high}`),
  command('WRITE_32', `7f 00 00 00 00 00 00 18 00 0b 00 00 ${low} ${low} ${low} 00 00 00 00 ${low}`),
  command('WRITE_SAME_32', `7f 00 00 00 00 00 00 18 00 0d 68 00 ${low} ${low} ${low} 00 00 00 00 ${low}`),
  command('unknown variable length', '7f 00 00 00 00 00 00 18 00 01'),
  command('TEST_UNIT_READY', '00 00 00 00 00 00'),
  command('INQUIRY', '12 00 00 00 24 00'),
];
