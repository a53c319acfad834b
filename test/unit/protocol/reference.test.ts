import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { agentStates, cpuStates, errorCodes, orderNames } from '../../../src/protocol/control.ts';
import { parseOrder } from '../../../src/protocol/order-parser.ts';

const reference = readFileSync(new URL('../../../../docs/protocol.md', import.meta.url), 'utf8');

interface Example {
  readonly request: string;
  readonly answer: { id: unknown; ok: boolean; error?: { code: string; message: string } };
}

function example([, request = '', answerLine = '']: RegExpExecArray): Example {
  const answer: Example['answer'] = JSON.parse(answerLine);
  return { request, answer };
}

const examples = [...reference.matchAll(/^ {4}> (.*)\n {4}< (.*)$/gm)].map(example);

describe('docs/protocol.md', () => {
  it('has an example of each order, which the parser accepts', () => {
    const taken = examples
      .filter(({ answer }) => answer.ok)
      .map(({ request, answer }) => {
        const parsed = parseOrder(request);
        assert.ok(parsed.kind === 'order', request);
        assert.equal(parsed.order.id, answer.id);
        return parsed.order.order;
      });
    assert.deepEqual(new Set(taken), new Set(orderNames));
  });

  it('quotes refusals word for word', () => {
    const refused = examples.filter(({ answer }) => !answer.ok);
    assert.ok(refused.length > 0);
    for (const { request, answer } of refused) {
      const parsed = parseOrder(request);
      assert.ok(parsed.kind === 'refused', request);
      const { id, code, message } = parsed;
      assert.deepEqual(answer, { id, ok: false, error: { code, message } });
    }
  });

  it('lists every error code, and no other', () => {
    const table = reference.slice(reference.indexOf('| code |'));
    const listed = [...table.matchAll(/^\| `([a-z-]+)`/gm)].map((match) => match[1]);
    assert.deepEqual(listed, [...errorCodes]);
  });

  it("lists every state of a CPU, and the agent's", () => {
    const [, table = ''] = /^\| state of a CPU \|.*\n((?:\|.*\n)+)/m.exec(reference) ?? [];
    const listed = [...table.matchAll(/`([a-z-]+)`/g)].map((match) => match[1]);
    assert.deepEqual(listed, [...cpuStates]);
    for (const state of agentStates) assert.match(reference, new RegExp(`\`${state}\``));
  });
});
