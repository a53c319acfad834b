import * as fc from 'fast-check';

/** Text of any code points. fast-check's own `unit: 'binary'` takes two seconds to build its table. */
export const anyText = fc
  .array(fc.nat({ max: 0x10_ffff }), { maxLength: 30 })
  .map((points) => String.fromCodePoint(...points));
