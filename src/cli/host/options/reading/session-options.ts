import type { Setting } from '../../../options/setting.ts';
import { lines } from '../trace-settings.ts';

/** The traces to read, and the machines to select from them. */
export interface SessionCommand {
  readonly inputs: readonly string[];
  /** Names of machines; undefined for all. */
  readonly machines: readonly string[] | undefined;
}

export const machinesSetting = {
  long: 'machine',
  placeholder: 'NAME',
  description: 'only this machine of a host and its guests, "host" or the name of a guest; may be repeated',
  repeatable: true,
  parse: lines,
} satisfies Setting<readonly string[]>;

/** The operands and `--machine` of a command line; `Given` has this shape. */
interface GivenSession {
  get<Value>(setting: Setting<Value>): Value | undefined;
  readonly operands: readonly string[];
}

export function readSession(given: GivenSession): SessionCommand {
  return { inputs: given.operands, machines: given.get(machinesSetting) };
}
