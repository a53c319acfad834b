import type { Guest } from '../../test/guest/harness/index.ts';
import { EventCatalogue } from '../../src/trace/format/event-catalogue.ts';
import { type PageLayout, parsePageLayout } from '../../src/trace/ring/page-layout.ts';

/** What is needed to decode this guest's pages. */
export interface Formats {
  readonly layout: PageLayout;
  readonly catalogue: EventCatalogue;
  /** The source texts, by path below tracefs. */
  readonly texts: ReadonlyMap<string, string>;
}

const readAll =
  "cd /sys/kernel/tracing && grep -H '' events/header_page events/ftrace/*/format events/sched/*/format";

/** Reads page layout and event formats from the guest with a single command: starting programs is slow there. */
export async function readFormats(guest: Guest): Promise<Formats> {
  const lines = (await guest.check(readAll)).split('\n').slice(0, -1);
  const texts = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const path = line.slice(0, colon);
    texts.set(path, `${texts.get(path) ?? ''}${line.slice(colon + 1)}\n`);
  }
  const layout = parsePageLayout(texts.get('events/header_page') ?? '');
  return { layout, catalogue: new EventCatalogue(texts, layout.commitBytes), texts };
}
