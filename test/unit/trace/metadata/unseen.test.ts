import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mergeMetadata } from '../../../../src/trace/recording/recording-metadata.ts';
import { unseenLines, unseenNote, withoutNote } from '../../../../src/trace/metadata/unseen.ts';
import { sampleContents } from '../samples.ts';

/** Options of 6.1, 6.12 and 6.18. */
const old = 'trace_printk\nnoprintk-msg-only\nmarkers\n';
const neither = `${old}notrace_printk_dest\nnocopy_trace_marker\n`;
const both = `${old}trace_printk_dest\ncopy_trace_marker\n`;

describe('lines that go to another buffer than the traced one', () => {
  it('are derived from its options', () => {
    for (const options of [old, neither])
      assert.deepEqual(unseenLines('host', options), ['trace_marker', 'trace_printk']);
    assert.deepEqual(unseenLines('host', both), []);
    assert.deepEqual(unseenLines('host', `${old}notrace_printk_dest\ncopy_trace_marker\n`), ['trace_printk']);
    assert.deepEqual(unseenLines('host', `${old}trace_printk_dest\n`), ['trace_marker']);
  });

  it('are none at the top level, unless another instance has its trace_printk', () => {
    for (const options of [old, both, undefined]) assert.deepEqual(unseenLines(null, options), []);
    assert.deepEqual(unseenLines(null, neither), ['trace_printk']);
  });

  it('are unknown for an instance without options', () => {
    assert.equal(unseenLines(undefined, old), undefined);
    assert.equal(unseenLines('host', undefined), undefined);
  });

  it("of a recording are derived from the traced instance's options, not from those at the beginning", async () => {
    const start = new Map([...(await sampleContents('A')), ['trace_options', Buffer.from(both)]]);
    const of = (instance: string | null | undefined, own?: string) =>
      mergeMetadata(
        start,
        own === undefined ? undefined : new Map([['trace_options', Buffer.from(own)]]),
        undefined,
        {
          pageBytes: null,
          cpus: [],
          ...(instance === undefined ? {} : { instance }),
        },
      ).unseen;
    assert.deepEqual(of('host', neither), ['trace_marker', 'trace_printk']);
    assert.deepEqual(of('host', both), []);
    assert.equal(of('host'), undefined);
    assert.deepEqual(of(null), []);
    assert.equal(of(undefined, neither), undefined);
  });

  it('are read back from a note in a file', () => {
    for (const lines of [['trace_marker'], ['trace_printk'], ['trace_marker', 'trace_printk']] as const)
      assert.deepEqual(withoutNote(`virtio-trace 1.2.3${unseenNote(lines)}`), {
        writer: 'virtio-trace 1.2.3',
        unseen: [...lines],
      });
    for (const other of ['', 'trace-cmd 3.1.6', 'virtio-trace 1 (without', `virtio-trace 1${unseenNote([])}`])
      assert.deepEqual(withoutNote(other), { writer: other });
  });
});
