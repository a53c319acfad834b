import { type Case, casesOf } from './case.ts';

/** A command with its bytes in hexadecimal, in a record with room for the longest one. */
function command(what: string, bytes: string): Case {
  const padded = bytes.padEnd(72, '0').replace(/..(?=.)/g, '$& ');
  return casesOf('scsi:scsi_dispatch_cmd_start')(
    what,
    `unsigned int cmd_len = ${bytes.length / 2}; __data_loc unsigned char[] cmnd = ${padded}`,
    '"cmnd=(%s raw=%s)", scsi_trace_parse_cdb(p, __get_dynamic_array(cmnd), REC->cmd_len), __print_hex(__get_dynamic_array(cmnd), REC->cmd_len)',
  );
}

/** SCSI commands. */
export const scsiCases = [
  command('TEST_UNIT_READY, too short', '00'),
  command('READ_6', '0800123456780000'),
  command('READ_6 with bits beyond the address', '082102030400'),
  command('READ_6, the largest', '081fffffff000000'),
  command('WRITE_6', '0a05010203040000'),
  command('READ_10', '28ff12345678000100'),
  command('READ_10, the largest length', '28e08000000000ffff00'),
  command('WRITE_10', '2a2001020304000810'),
  command('VERIFY', '2f00000000010001'),
  command('WRITE_SAME', '41080000000100020000'),
  command('WRITE_SAME, all bits', '41e0ffffffff00020000'),
  command('UNMAP', '420000000000000018000000'),
  command('UNMAP, too short', '420000000000000007000000'),
  command('READ_12', 'a8e0000000018000000000000000'),
  command('WRITE_12', 'aa00ffffffff00000001'),
  command('VERIFY_12', 'af20000000010000ffff0000'),
  command('READ_16', '88e0000000010000000200000003000000'),
  command('WRITE_16', '8a20800000008000000080000000000000'),
  command('VERIFY_16', '8f000000000000000000ffffffff0000'),
  command('WRITE_SAME_16', '93e8000000000000000100000002000000'),
  command('READ_CAPACITY_16', '9e100000000000000001000000020000'),
  command('GET_LBA_STATUS', '9e128000000080000000ffffffff0000'),
  command('unknown service action', '9e050000000000000001000000020000'),
  command('READ_32', '7f0000000000001800090000000000010000000200000003000000040000000500000006'),
  command('VERIFY_32', '7f00000000000018000a20008000000080000000ffffffff0000000000000000ffffffff'),
  command('WRITE_32', '7f00000000000018000b000000000000000000010000000200000000000000000000000a'),
  command('WRITE_SAME_32', '7f00000000000018000de80000000000000000010000000200000000000000000000000a'),
  command(
    'unknown variable length',
    '7f00000000000018001100000000000000000001000000020000000000000000000000a0',
  ),
  command('INQUIRY', '12000000ff00'),
  command('unknown', 'ff'),
];
