import type { Example } from '../../options/help-text.ts';
import type { Given } from './given.ts';
import type { HostSettingName } from './host-settings.ts';

/** One command of trace-host; `Command` is what its options are read into. */
export interface Subcommand<Command> {
  readonly description: string;
  readonly settings: readonly HostSettingName[];
  /** Set if the subcommand also accepts the options of trace-cmd that trace-host does not have. */
  readonly traceCmdWords?: true;
  /** Operands after the options, in commander's syntax; undefined for none. */
  readonly operands?: string;
  /** Shown instead of the options and the operands. */
  readonly usage?: string;
  readonly examples: readonly Example[];
  readonly read: (given: Given) => Command;
}

/** The names of settings. */
export function namesOf<Settings extends object>(settings: Settings): (keyof Settings)[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an object literal has no other keys
  return Object.keys(settings) as (keyof Settings)[];
}
