import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ControlClient } from '../../../../src/host/control/client.ts';
import { readMetadataArchive } from '../../../../src/trace/metadata/archive.ts';
import { fetchChanges, fetchMetadata } from '../../../../src/host/metadata/changes.ts';
import { packContents } from '../../../../src/host/metadata/pack.ts';
import type { MetadataDigests } from '../../../../src/protocol/control.ts';
import { digestsOf } from '../../../../src/protocol/metadata-groups.ts';
import { FakeAgent } from '../control/fake-agent.ts';

type Texts = Readonly<Record<string, string>>;

const before: Texts = {
  'events/header_page': 'page',
  'events/sched/sched_switch/format': 'switch',
  'events/sched/sched_waking/format': 'waking',
  'events/kprobes/p/format': 'old probe',
  'events/gone/e/format': 'of a module',
  kallsyms: 'ffff T f\n',
};
const now: Texts = {
  ...before,
  'events/header_page': 'page of another size',
  'events/kprobes/p/format': 'new probe',
  'events/gone/e/format': '',
  'events/fresh/e/format': 'of another module',
};

function contentsOf(texts: Texts): Map<string, Buffer> {
  const there = Object.entries(texts).filter(([, text]) => text !== '');
  return new Map(there.map(([name, text]) => [name, Buffer.from(text)]));
}

/** An agent that answers like the real one; `lie` changes which groups it reports as unchanged. */
async function agentWith(
  context: TestContext,
  texts: Texts,
  lie: (same: string[]) => string[] = (same) => same,
): Promise<{ client: ControlClient; asked: (MetadataDigests | undefined)[] }> {
  const agent = new FakeAgent(context);
  const asked: (MetadataDigests | undefined)[] = [];
  agent.obey = (order) => {
    const { id, have } = order as { id: string; have?: MetadataDigests };
    asked.push(have);
    void (async () => {
      const contents = contentsOf(texts);
      const own = digestsOf(contents);
      const same = lie(Object.keys(own).filter((group) => have?.[group] === own[group]));
      const sent = [...contents].filter(([name]) => !same.some((group) => name.startsWith(group)));
      const payload = await packContents(new Map(sent));
      agent.send({ id, ok: true, bytes: payload.length, encoding: 'gzip', ...(have && { same }) }, payload);
    })();
  };
  const client = await ControlClient.open(agent.guest, { timeoutMs: 60_000 });
  context.after(() => client.close());
  return { client, asked };
}

describe('a second fetch of metadata', { timeout: 120_000 }, () => {
  it('with nothing known requests everything', async (context) => {
    const { client, asked } = await agentWith(context, now);
    const { packed, contents } = await fetchMetadata(client, undefined);
    assert.deepEqual(asked, [undefined]);
    assert.deepEqual(contents, contentsOf(now));
    assert.deepEqual(await readMetadataArchive([packed]), contentsOf(now));
  });

  it('returns what the guest has now, whatever was changed, removed or added', async (context) => {
    const { client, asked } = await agentWith(context, now);
    const { packed, contents } = await fetchMetadata(client, contentsOf(before));
    assert.deepEqual(Object.keys(asked[0] ?? {}).toSorted(), [
      'events/gone',
      'events/kprobes',
      'events/sched',
      'kallsyms',
    ]);
    assert.deepEqual(contents, contentsOf(now));
    assert.deepEqual(await readMetadataArchive([packed]), contents);
  });

  it('transfers only the differences', async (context) => {
    const { client } = await agentWith(context, now);
    const changes = await fetchChanges(client, digestsOf(contentsOf(before)));
    assert.deepEqual([...(changes?.contents.keys() ?? [])].toSorted(), [
      'events/fresh/e/format',
      'events/header_page',
      'events/kprobes/p/format',
    ]);
    assert.deepEqual(changes?.same, new Set(['events/sched', 'kallsyms']));
  });

  it('from an older agent, which refuses the request, returns everything', async (context) => {
    const agent = new FakeAgent(context);
    const payload = await packContents(contentsOf(now));
    agent.obey = (order) => {
      if ('have' in order)
        agent.send({
          id: order.id,
          ok: false,
          error: { code: 'unknown-field', message: 'metadata has no field have' },
        });
      else agent.send({ id: order.id, ok: true, bytes: payload.length, encoding: 'gzip' }, payload);
    };
    const client = await ControlClient.open(agent.guest, { timeoutMs: 60_000 });
    context.after(() => client.close());
    assert.deepEqual((await fetchMetadata(client, contentsOf(before))).contents, contentsOf(now));
    assert.equal(await fetchChanges(client, digestsOf(contentsOf(before))), undefined);
  });

  it('does not accept a group as unchanged if it was not in the request', async (context) => {
    const { client } = await agentWith(context, now, (same) => [...same, 'events/never', 'printk_formats']);
    const { contents } = await fetchMetadata(client, contentsOf(before));
    assert.deepEqual([...contents.keys()].toSorted(), [...contentsOf(now).keys()].toSorted());
  });

  it('distinguishes groups by names, lengths and contents of their files', () => {
    const digest = (texts: Texts) => digestsOf(contentsOf(texts))['events/s'];
    const all = [
      { 'events/s/a/format': 'x', 'events/s/b/format': 'y' },
      { 'events/s/a/format': 'y', 'events/s/b/format': 'x' },
      { 'events/s/a/format': 'xy' },
      { 'events/s/ab/format': 'x' },
      { 'events/s/a/format': 'x', 'events/s/b/format': 'y', 'events/s/c/format': 'z' },
    ].map(digest);
    assert.equal(new Set(all).size, all.length);
    assert.equal(digest({ 'events/s/b/format': 'y', 'events/s/a/format': 'x' }), all[0], 'in any order');
  });
});
