/** Replaces the package koffi, whose loader looks for its native part next to its script. */
import type koffi from 'koffi';
import { nativePart } from './native-part.ts';

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what koffi's own loader exports
export default nativePart().exports as typeof koffi;
