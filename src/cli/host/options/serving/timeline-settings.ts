import { parsePath } from '../../../options/names.ts';
import type { Setting } from '../../../options/setting.ts';

/** Options of `timeline` only. */
export const timelineSettings = {
  timelineOutput: {
    short: 'o',
    long: 'output',
    placeholder: 'DIR',
    description: 'directory to write; must be new or empty',
    values: 'directory',
    parse: parsePath,
  },
} as const satisfies Record<string, Setting<unknown>>;
