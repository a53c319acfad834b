/** An id that was one event's at the beginning of a recording, and another's at its end. */
export interface ReusedId {
  readonly id: number;
  /** `system:event`, as its file says; from the guest. */
  readonly before: string;
  readonly after: string;
}

interface FormatFile {
  readonly path: string;
  readonly event: string;
  readonly id: number;
  readonly content: Buffer;
}

/**
 * Adds the formats of events that came into being while a recording ran to those of its beginning. A format that only
 * the beginning has stays: its event was removed meanwhile. An id that went from one event to another tells nothing any
 * more, as nobody knows of which of them a record is: both are taken out, and returned. Files that say no id are the
 * beginning's, or the end's where it has none.
 */
export function withLaterFormats(
  contents: Map<string, Buffer>,
  end: ReadonlyMap<string, Buffer>,
): ReusedId[] {
  const known = new Map<number, FormatFile>();
  for (const file of formatsOf(contents)) if (file.id >= 0) known.set(file.id, file);
  const reused: ReusedId[] = [];
  for (const file of formatsOf(end)) {
    if (file.id < 0 && contents.has(file.path)) continue;
    const before = known.get(file.id);
    if (before === undefined) {
      contents.set(freePath(contents, file), file.content);
    } else if (!describesTheSame(before, file)) {
      contents.delete(before.path);
      reused.push({ id: file.id, before: before.event, after: file.event });
    }
  }
  return reused;
}

function* formatsOf(files: ReadonlyMap<string, Buffer>): Generator<FormatFile> {
  for (const [path, content] of files) {
    const [, system] = /^events\/([^/]+)\/[^/]+\/format$/.exec(path) ?? [];
    if (system === undefined) continue;
    const head = content.toString('latin1', 0, 1024);
    const name = /^name: (.+)$/m.exec(head)?.[1] ?? '';
    const id = /^ID: (\d{1,5})$/m.exec(head)?.[1];
    yield { path, event: `${system}:${name}`, id: id === undefined ? -1 : Number(id), content };
  }
}

/** A module that is loaded may put numbers for names into the `print fmt` of others; the fields stay. */
function describesTheSame(before: FormatFile, after: FormatFile): boolean {
  if (before.content.equals(after.content)) return true;
  return before.event === after.event && fieldsOf(before) === fieldsOf(after);
}

function fieldsOf({ content }: FormatFile): string {
  const text = content.toString('latin1');
  const end = text.indexOf('\nprint fmt:');
  return end === -1 ? text : text.slice(0, end);
}

/** An event that was removed and made again has the same name, and another id: both are needed. */
function freePath(contents: ReadonlyMap<string, Buffer>, { path }: FormatFile): string {
  for (let time = 2, free = path; ; time++) {
    if (!contents.has(free)) return free;
    free = path.replace(/\/format$/, `.${time}/format`);
  }
}
