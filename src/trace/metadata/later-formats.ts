/** An id that belonged to one event at the start of a recording and to another at its end. */
export interface ReusedId {
  readonly id: number;
  /** `system:event`, untrusted text from the guest. */
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
 * Adds the formats of events that were created during a recording (`end`) to those from its start (`contents`). Formats
 * that only the start has stay: their events were removed during the recording. An id that changed from one event to
 * another is ambiguous: removes both formats and returns the id. If a format file without an id is in both, the one
 * from the start is kept.
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

/**
 * Whether both formats describe the same event. `print fmt` may differ: loading a module may replace names by numbers
 * in it; the fields stay the same.
 */
function describesTheSame(before: FormatFile, after: FormatFile): boolean {
  if (before.content.equals(after.content)) return true;
  return before.event === after.event && fieldsOf(before) === fieldsOf(after);
}

function fieldsOf({ content }: FormatFile): string {
  const text = content.toString('latin1');
  const end = text.indexOf('\nprint fmt:');
  return end === -1 ? text : text.slice(0, end);
}

/** An unused path: an event that was removed and created again has the same name but another id; both are needed. */
function freePath(contents: ReadonlyMap<string, Buffer>, { path }: FormatFile): string {
  for (let time = 2, free = path; ; time++) {
    if (!contents.has(free)) return free;
    free = path.replace(/\/format$/, `.${time}/format`);
  }
}
