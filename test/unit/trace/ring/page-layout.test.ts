import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FormatError } from '../../../../src/trace/format/format-error.ts';
import { parsePageLayout } from '../../../../src/trace/ring/page-layout.ts';
import { guestTexts, headerPageText } from '../fixtures.ts';

describe('page layout', () => {
  it('is read from a kernel’s header_page', async () => {
    assert.deepEqual(parsePageLayout((await guestTexts()).get('events/header_page') ?? ''), {
      pageBytes: 4096,
      timestampOffset: 0,
      commitOffset: 8,
      commitBytes: 8,
      dataOffset: 16,
    });
  });

  it('follows the sub-buffer’s size, up to 1 MiB', () => {
    assert.equal(parsePageLayout(headerPageText(65_536)).pageBytes, 65_536);
    assert.equal(parsePageLayout(headerPageText(1 << 20)).pageBytes, 1 << 20);
    assert.throws(() => parsePageLayout(headerPageText((1 << 20) + 1)), FormatError);
  });

  it('has a 4-byte commit on a 32-bit kernel', () => {
    const text = headerPageText(4096)
      .replace('local_t commit;\toffset:8;\tsize:8', 'local_t commit;\toffset:8;\tsize:4')
      .replace('offset:16;\tsize:4080', 'offset:12;\tsize:4084');
    const layout = parsePageLayout(text);
    assert.deepEqual([layout.commitBytes, layout.dataOffset, layout.pageBytes], [4, 12, 4096]);
  });

  it('refuses an unreadable page', () => {
    const good = headerPageText(4096);
    for (const text of [
      '',
      good.replace(/.*commit.*\n/, ''),
      good.replace('timestamp;\toffset:0;\tsize:8', 'timestamp;\toffset:0;\tsize:4'),
      good.replace('commit;\toffset:8;\tsize:8', 'commit;\toffset:8;\tsize:2'),
      good.replace('commit;\toffset:8', 'commit;\toffset:9'),
      good.replace('timestamp;\toffset:0', 'timestamp;\toffset:16'),
      good.replace('size:4080', 'size:0'),
    ]) {
      assert.throws(() => parsePageLayout(text), FormatError, JSON.stringify(text));
    }
  });
});
