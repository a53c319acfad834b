import type { Trace } from '../../trace/open.ts';
import { type FunctionMap, parseFunctions } from './function-map.ts';

/** Names of the guest's functions by address, read at the first call. */
export function functionNames({ source }: Trace): (address: bigint) => string | undefined {
  let functions: FunctionMap | undefined;
  return (address) => {
    functions ??= parseFunctions(source.kallsyms());
    const index = functions.find(Number(address >> 32n), Number(address & 0xffff_ffffn));
    if (index < 0) return undefined;
    const { text } = functions;
    const start = functions.nameStart(index);
    return Buffer.from(text.buffer, text.byteOffset + start, functions.nameEnd(index) - start).toString(
      'latin1',
    );
  };
}
