import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { repoRoot } from '../../repo-root.ts';

const page = readFileSync(join(repoRoot, 'docs/troubleshooting.md'), 'utf8');

/** Minimum number of literal letters of a text (without its values) that identify it. */
const fewestOwn = 9;

/** The messages and remedies in the document, with the values they had when they were recorded. */
function quotedTexts(): string[] {
  return page.split('\n').flatMap((line) => {
    const [, said] = /^ {4}(?:trace-agent|trace-host): (.*)$/.exec(line) ?? [];
    // the name of a guest is a message of its own, which would match any text that begins with it
    if (said !== undefined) return said.replace('the guest in /var/lib/virtio-trace', 'GUEST').split(' — ');
    const [, logged] = /^ {4}\{.*"msg":"(.*?)"\}$/.exec(line) ?? [];
    return logged === undefined ? [] : [logged];
  });
}

/** A message of the sources, split at its values. */
type Pattern = readonly string[];

function patternsOf(source: string): Pattern[] {
  const literals = /'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`/g;
  const patterns: Pattern[] = [];
  for (const [, single, double, template] of source.matchAll(literals)) {
    const text = (single ?? double ?? template ?? '').replaceAll(/\\(['"`])/g, '$1');
    const parts = (template === undefined ? [text] : text.split(/\$\{[^}]*\}/)).map((part) =>
      part.trim().replace(/;$/, ''),
    );
    if (parts.length > 1 && parts.join('').length < fewestOwn) continue;
    patterns.push(parts);
  }
  return patterns;
}

/** Whether a text matches the pattern with anything in place of its values. */
function matches(parts: Pattern, text: string): boolean {
  const [first = '', ...rest] = parts;
  const last = rest.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

describe('docs/troubleshooting.md', () => {
  it('quotes messages exactly as the programs print them', () => {
    const patterns = readdirSync(join(repoRoot, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .flatMap((name) => patternsOf(readFileSync(join(repoRoot, 'src', name), 'utf8')));
    const isSaid = (text: string): boolean => patterns.some((pattern) => matches(pattern, text));
    const texts = quotedTexts();
    assert.ok(texts.length > 30, `${texts.length} quoted`);
    for (const text of texts)
      assert.ok(isSaid(text) || text.split('; ').every(isSaid), `no program says: ${text}`);
  });
});

describe('the documents', () => {
  it('link only to existing targets', () => {
    const documents = ['README.md', ...readdirSync(join(repoRoot, 'docs')).map((name) => `docs/${name}`)];
    for (const document of documents.filter((name) => name.endsWith('.md'))) {
      const text = readFileSync(join(repoRoot, document), 'utf8');
      for (const [, target = ''] of text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g))
        assert.ok(existsSync(join(repoRoot, dirname(document), target)), `${document}: ${target}`);
    }
  });
});
