import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isId, newId } from '../../../../src/serve/state/ids.ts';
import { recordArguments } from '../../../../src/serve/state/record-arguments.ts';
import { lastMessage } from '../../../../src/serve/state/child.ts';

const place = { out: '/data/trace.dat', dir: '/guests', maxBytes: 1_048_577 };

describe('command lines', () => {
  it('of a recording have sections for the host and each guest', () => {
    const args = recordArguments({ guests: ['web', 'db'], host: true, durationMs: 1500 }, place);
    const at = args.indexOf('--host');
    assert.deepEqual(args.slice(at, at + 5), [
      '--host',
      '--event=sched',
      '--event=irq',
      '--event=kvm',
      '--agent=web',
    ]);
    assert.equal(args[args.indexOf('--agent=db') + 1], '--event=sched');
    for (const word of ['--duration=1500ms', '--max-size=1024K', '--output=/data/trace.dat', '--dir=/guests'])
      assert.ok(args.includes(word), word);
    const until = recordArguments({ guests: ['web'], host: false, events: ['net'] }, place);
    assert.ok(!until.some((word) => word.startsWith('--duration') || word === '--host'));
    assert.deepEqual(until.slice(-2), ['--agent=web', '--event=net']);
  });

  it('have every text of a request as the value of an option', () => {
    const text = '--output=/etc/passwd';
    const request = {
      guests: [text],
      host: true,
      events: [text],
    };
    const args = recordArguments(request, place);
    assert.deepEqual(
      args.filter((word) => word === text),
      [],
    );
  });
});

describe('ids', () => {
  it('are names of files and nothing else', () => {
    assert.ok(isId(newId()));
    for (const text of ['', '.', '..', 'a/b', '-x', 'A', 'a.b', 'x'.repeat(65), 'a\n'])
      assert.ok(!isId(text), JSON.stringify(text));
  });
});

describe('the message of a command', () => {
  it('is its last line, divided into what is wrong and what to do', () => {
    assert.deepEqual(lastMessage('recording …\ntrace-host: a note\ntrace-host: no — do — this\nmore\n'), {
      detail: 'no',
      remedy: 'do — this',
    });
    assert.equal(lastMessage('Segmentation fault\n'), undefined);
  });
});
