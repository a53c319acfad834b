import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cleanTaskNames, cleanTgids } from '../../../../src/trace/metadata/task-lines.ts';

const clean = (text: string): string => cleanTaskNames(Buffer.from(text, 'latin1')).toString('latin1');

describe('names of tasks', () => {
  for (const [what, text, wanted] of [
    [
      'usual ones stay as they are',
      '1 init\n66 two\n11966 task-11966\n',
      '1 init\n66 two\n11966 task-11966\n',
    ],
    ['with blanks, also at the ends', '5  a b \n7 x\n', '5  a b \n7 x\n'],
    ['of several lines', '1 init\n66 two\nlines\n7 x\n', '1 init\n66 two\\nlines\n7 x\n'],
    ['that begin or end with a line break', '66 \nx\n7 y\n\n8 z\n', '66 \\nx\n7 y\n8 z\n'],
    ['that are empty', '1 init\n66 \n7 x\n', '1 init\n66 (empty)\n7 x\n'],
    ['of control characters', '5 \x1b[2J\t\x7f\n', '5 \\x1b[2J\\x09\\x7f\n'],
    ['not of ASCII', '5 gr\xfc\xdfe\n', '5 gr\xfc\xdfe\n'],
    ['a number is a rest, too', '66 a\n14\n7 x\n', '66 a\\n14\n7 x\n'],
    [
      'the rest of one is no other task’s',
      '66 two\n77 lines\n5 fifteen-letters\n77 its-own-name\n',
      '66 two\n5 fifteen-letters\n77 its-own-name\n',
    ],
    ['lines that are none', 'x\n99999999 y\n5 z\n', '5 z\n'],
    ['no end of line', '5 z', '5 z\n'],
    ['nothing', '', ''],
  ] as const) {
    it(what, () => assert.equal(clean(text), wanted));
  }

  it('for thread groups, only complete lines are kept', () => {
    assert.equal(cleanTgids(Buffer.from('7 7\nx\n8 9 10\n9 -1\n10 9')).toString(), '7 7\n10 9\n');
  });
});
