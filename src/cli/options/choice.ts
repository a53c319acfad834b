import { exitCode, Failure } from '../../base/failure.ts';
import { quoted } from '../../base/quoted.ts';
import { nearestName } from './nearest-name.ts';

/** Parses one of a fixed set of words. Throws Failure (usage), with the nearest word as remedy. */
export function parseChoice<Word extends string>(text: string, name: string, words: readonly Word[]): Word {
  const word = words.find((candidate) => candidate === text);
  if (word !== undefined) return word;
  const nearest = nearestName(text, words);
  const remedy = nearest === undefined ? `use one of ${words.join(', ')}` : `did you mean ${nearest}?`;
  throw new Failure(exitCode.usage, `${name}: ${quoted(text)} is not one of ${words.join(', ')}`, remedy);
}

/** Parses a comma-separated list of such words, or `all`. Throws Failure (usage). */
export function parseChoices<Word extends string>(
  text: string,
  name: string,
  words: readonly Word[],
): ReadonlySet<Word> {
  if (text.trim() === 'all') return new Set(words);
  return new Set(text.split(',').map((part) => parseChoice(part.trim(), name, words)));
}

/** Parses a decimal integer. Throws Failure (usage). */
export function parseCount(text: string, name: string, most: number, least = 0): number {
  const count = Number(text);
  if (/^\d{1,15}$/.test(text.trim()) && count >= least && count <= most) return count;
  const message = `${name}: ${quoted(text)} is not a whole number from ${least} to ${most}`;
  throw new Failure(exitCode.usage, message, `use a number from ${least} to ${most}`);
}
