import type { Case } from '../made-file.ts';
import { kvmCases } from './kvm.ts';
import { numberCases } from './numbers.ts';
import { pluginCases } from './plugins.ts';
import { pointerCases } from './pointers.ts';
import { scsiCases } from './scsi.ts';
import { printkCases, taskCases } from './tasks.ts';
import { textCases } from './texts.ts';
import { treeCases } from './trees.ts';

/** Cases by what they are about. */
export const caseGroups: ReadonlyMap<string, readonly Case[]> = new Map([
  ['numbers', numberCases],
  ['expressions', treeCases],
  ['pointers', pointerCases],
  ['texts', textCases],
  ['tasks, functions, trace_printk', [...taskCases, ...printkCases]],
  ['timers, memory, futexes, mac80211', pluginCases],
  ['kvm', kvmCases],
  ['scsi', scsiCases],
]);
