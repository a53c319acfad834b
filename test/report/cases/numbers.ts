import { type Case, formats, numberFields, numberRecords } from './case.ts';

const shapes =
  ' 1 8 20 - -8 0 08 020 -08 # #8 #08 -#8 .0 .5 .20 8.5 -8.5 08.5 #.0 #.5 #10.5 . 8. 0#8 -0 #0 12.3 0.0 00 -- ##'.split(
    ' ',
  );
const modifiers = ['', 'h', 'hh', 'l', 'll', 'L', 'z', 'Z'];
const letters = ['d', 'i', 'u', 'x', 'X', 'o'];

/** Conversions of integers. */
export const numberCases: readonly Case[] = [
  ...formats(numberFields, numberRecords, [
    ...modifiers.flatMap((modifier) =>
      shapes.map((shape) => {
        const each = letters.map((letter) => `[%${shape}${modifier}${letter}]`).join('');
        return `"${each}${each}", ${'REC->w, '.repeat(letters.length)}${letters.map(() => 'REC->sq').join(', ')}`;
      }),
    ),
    ...['b', 'sb', 'h', 'sh', 'w', 'sw', 'q', 'sq', 'ul', 'sl'].flatMap((field) =>
      modifiers.map((modifier) => {
        const each = letters.map((letter) => `%${modifier}${letter}`).join(' ');
        return `"${field} ${each}", ${letters.map(() => `REC->${field}`).join(', ')}`;
      }),
    ),
    '"%+d|% d|%\'d", REC->w, REC->w, REC->w',
    '"%+5d %d", REC->w, REC->sw',
    '"%c %d", REC->b, REC->w',
    '"%5c|%-5c|", REC->b, REC->b',
    '"%*d|%*x|%-*d|", 8, REC->w, 4, REC->w, 6, REC->sw',
    '"%*d|%*u|", REC->sb, REC->w, REC->b, REC->w',
    '"%.*d|%.*x|", 5, REC->w, 3, REC->w',
    '"%.*d|", REC->sb, REC->w',
    '"%*.*d| %d", 8, 5, REC->w, REC->sw',
    '"%llllu %d", REC->q, REC->w',
    '"%hhhd %d", REC->q, REC->w',
    '"%Ld %Lx %LX", REC->sq, REC->q, REC->q',
    '"%qd %jd %td", REC->sq, REC->sq, REC->sq',
    '"%f %g %e", REC->w, REC->w, REC->w',
    '"%n %d", REC->w, REC->w',
    '"%d"',
    '"%d %d", REC->w',
    '"%d", REC->w, REC->sw',
    '"%", REC->w',
    '"%l", REC->w',
    '"text %-08.", REC->w',
    '"%d %*", REC->w, REC->sw',
    '"%%", REC->w',
    '"100%% %d%%%d", REC->w, REC->w',
    '"%5%|%d", REC->w',
    '"a\\tb\\nc\\rd\\\\e\\"f\\\'g\\x41\\101%d", REC->w',
    '"%d\\n", REC->w',
    '"%d\\n\\n", REC->w',
    '"", REC->w',
    '"text only"',
    '"two " "texts %d" " in" "a row", REC->w',
    '"%s %d", REC->name, REC->w',
    '"%d %d %d", REC->common_pid, REC->common_type, REC->common_flags',
    '"%00000000000000000000000000000000008d|", REC->w',
    '"%300d|", REC->w',
    '"%.300d|", REC->w',
    '"%llld", REC->sq',
    '"text only", REC->w',
  ]),
];
