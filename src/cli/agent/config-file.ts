import { readFileSync } from 'node:fs';
import { codeOf } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { isObject } from '../../base/json-type.ts';
import { printable, quoted } from '../../base/quoted.ts';
import type { AgentSettingName } from './agent-settings.ts';
import { agentSettingNames, agentSettings, isAgentSettingName } from './agent-settings.ts';
import { nearestName } from '../options/nearest-name.ts';
import type { Setting } from '../options/setting.ts';

/** Setting values as text, as on the command line; flags are `true` or `false`. */
export type SettingTexts = ReadonlyMap<AgentSettingName, string>;

/**
 * Reads the configuration file: a JSON object whose keys are the long option names in camelCase. Throws Failure (usage)
 * that names the file and the key.
 */
export function readConfigFile(path: string): SettingTexts {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const remedy = 'specify a readable JSON file';
    throw new Failure(exitCode.usage, `--config: cannot read ${printable(path)}: ${codeOf(cause)}`, remedy, {
      cause,
    });
  }
  return parseConfig(text, printable(path));
}

/** Parses the file's text. `path` is for messages and must be printable. */
function parseConfig(text: string, path: string): SettingTexts {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const why = cause instanceof Error ? printable(cause.message) : String(cause);
    throw new Failure(exitCode.usage, `${path} is not valid JSON: ${why}`, 'fix the file', { cause });
  }
  if (!isObject(value))
    throw new Failure(exitCode.usage, `${path} does not contain a JSON object`, 'write e.g. {"cpus": "0-3"}');
  const texts = new Map<AgentSettingName, string>();
  for (const [key, given] of Object.entries(value)) {
    if (!isAgentSettingName(key)) throw unknownKey(key, path);
    texts.set(key, settingText(agentSettings[key], given, `${key} in ${path}`));
  }
  return texts;
}

function unknownKey(key: string, path: string): Failure {
  const nearest = nearestName(key.replaceAll(/[-_]/g, ''), agentSettingNames);
  const remedy =
    nearest === undefined ? `the keys are ${agentSettingNames.join(', ')}` : `did you mean ${nearest}?`;
  return new Failure(exitCode.usage, `${path} has an unknown key ${quoted(key)}`, remedy);
}

function settingText(setting: Setting<unknown>, given: unknown, where: string): string {
  const fileTypes = setting.fileTypes ?? [];
  if (setting.placeholder === undefined) {
    if (typeof given === 'boolean') return String(given);
    throw wrongType(where, 'true or false');
  }
  if (typeof given === 'string') return given;
  if (typeof given === 'number' && fileTypes.includes('number')) return String(given);
  if (Array.isArray(given) && fileTypes.includes('array') && given.every(isEntry)) return given.join(',');
  const types = ['a string', ...fileTypes.map((type) => (type === 'array' ? 'an array' : 'a number'))];
  throw wrongType(where, types.join(' or '));
}

function isEntry(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number';
}

function wrongType(where: string, wanted: string): Failure {
  return new Failure(exitCode.usage, `${where} is not ${wanted}`, `write it as ${wanted}`);
}
