import type { Command } from 'commander';
import { defaultDir, type GuestLocation } from '../../../host/guest-dir/location.ts';
import type { HostSettingName } from './host-settings.ts';
import { hostSettings } from './host-settings.ts';
import type { Setting, WithDefault } from '../../options/setting.ts';

/** The settings that are flags. */
type FlagName = {
  [Name in HostSettingName]: (typeof hostSettings)[Name] extends WithDefault<boolean> ? Name : never;
}[HostSettingName];

/** An option as it was given. */
export interface GivenWord {
  readonly name: HostSettingName;
  readonly text: string;
}

/** Options of a command line, or of a part of it. */
export interface GivenOptions {
  /** In order, including repeated ones. */
  readonly sequence: readonly GivenWord[];
  get<Value>(setting: Setting<Value>): Value | undefined;
  flag(name: FlagName): boolean;
}

/** A part of a command line. */
export function givenPart(sequence: readonly GivenWord[]): GivenOptions {
  const get = <Value>(setting: Setting<Value>): Value | undefined => {
    const texts = sequence.filter(({ name }) => hostSettings[name] === setting).map(({ text }) => text);
    const text = setting.repeatable === true ? texts.join('\n') : texts.at(-1);
    return text === undefined || texts.length === 0 ? undefined : setting.parse(text, `--${setting.long}`);
  };
  return { sequence, get, flag: (name) => get<boolean>(hostSettings[name]) ?? false };
}

/** The options and operands on a command line, parsed by the settings' own parsers. */
export class Given implements GivenOptions {
  readonly #command: Command;
  readonly #remarks: string[] = [];
  readonly #sequence: GivenWord[] = [];

  /** Create this object before the command line is parsed: it records the order of the options. */
  constructor(command: Command, names: readonly HostSettingName[]) {
    this.#command = command;
    for (const name of names) {
      command.on(`option:${hostSettings[name].long}`, (text: string | null) => {
        this.#sequence.push({ name, text: text ?? 'true' });
      });
    }
  }

  /** Remarks about the given options, for the user. */
  get remarks(): readonly string[] {
    return this.#remarks;
  }

  remark(text: string): void {
    this.#remarks.push(text);
  }

  /** All given options in order, including repeated ones. */
  get sequence(): readonly GivenWord[] {
    return this.#sequence;
  }

  get operands(): readonly string[] {
    return this.#command.args;
  }

  /** The given value; undefined if not given, even if there is a default. */
  get<Value>(setting: Setting<Value>): Value | undefined {
    // commander's key is the long name in camelCase
    const key = setting.long.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
    if (this.#command.getOptionValueSource(key) !== 'cli') return undefined;
    return setting.parse(String(this.#command.getOptionValue(key)), `--${setting.long}`);
  }

  read<Value>(setting: WithDefault<Value>): Value {
    return this.get(setting) ?? setting.parse(setting.defaultText, `--${setting.long}`);
  }

  flag(name: FlagName): boolean {
    return this.read(hostSettings[name]);
  }

  location(): GuestLocation {
    return { dir: this.get(hostSettings.dir) ?? defaultDir, guest: this.get(hostSettings.guest) };
  }
}
