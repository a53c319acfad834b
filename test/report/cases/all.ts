import { arrayCases } from './arrays.ts';
import type { Case } from './case.ts';
import { expressionCases } from './expressions.ts';
import { kvmCases } from './kvm.ts';
import { nameCases } from './names.ts';
import { numberCases } from './numbers.ts';
import { pluginCases } from './plugins.ts';
import { pointerCases } from './pointers.ts';
import { scsiCases } from './scsi.ts';
import { taskCases } from './tasks.ts';
import { textCases } from './texts.ts';
import { unparsableCases } from './unparsable.ts';

/** Cases by what they are about. */
export const caseGroups: ReadonlyMap<string, readonly Case[]> = new Map([
  ['numbers', numberCases],
  ['expressions', expressionCases],
  ['texts, names, arrays', [...textCases, ...nameCases, ...arrayCases]],
  ['pointers', pointerCases],
  ['formats that cannot be parsed', unparsableCases],
  ['events of plugins', [...taskCases, ...pluginCases, ...kvmCases, ...scsiCases]],
]);
