import { exitCode, Failure } from '../../base/failure.ts';
import { EventCatalogue } from '../format/event-catalogue.ts';
import { FormatError } from '../format/format-error.ts';
import { openInput } from '../file/open-input.ts';
import type { PageLayout } from '../ring/page-layout.ts';
import { readMetadataArchive } from './archive.ts';
import { type Symbols, symbolsOf } from './symbols.ts';
import { cleanTaskNames, cleanTgids } from './task-lines.ts';
import { chosenClock } from './trace-clock.ts';
import { parseUsualLayout } from './usual-layout.ts';

/** The metadata of the guest's kernel that is needed to read its pages. Contents are raw data from the guest. */
export interface GuestMetadata {
  readonly layout: PageLayout;
  readonly headerPage: Buffer;
  readonly headerEvent: Buffer;
  /** Text of each format file, by system and event directory. */
  readonly formats: ReadonlyMap<string, ReadonlyMap<string, Buffer>>;
  /** `formats`, parsed. */
  readonly catalogue: EventCatalogue;
  /**
   * This text and the next three are empty if the guest sent none. `savedCmdlines` and `savedTgids` have only valid
   * lines.
   */
  readonly kallsyms: Buffer;
  readonly printkFormats: Buffer;
  readonly savedCmdlines: Buffer;
  readonly savedTgids: Buffer;
  readonly symbols: Symbols;
  /** Text of `per_cpu/cpuN/stats` by CPU. */
  readonly stats: ReadonlyMap<number, string>;
  /** Text of `trace_clock`, with the current clock in brackets; empty if unknown. */
  readonly traceClock: string;
  /** The current clock; the kernel's default if unknown. */
  readonly clock: string;
  /** The text of `uname`, one line; empty if unknown. */
  readonly uname: string;
  /** All other files by name, e.g. `cpuinfo`, `trace_options`. */
  readonly others: ReadonlyMap<string, Buffer>;
}

const none = Buffer.alloc(0);

/** Limit for all format texts: parsed, they take ten times as much memory. A Debian guest has 2 MiB of them. */
const maxFormatBytes = 16 << 20;

function unusable(reason: string, cause?: unknown): Failure {
  return new Failure(
    exitCode.failed,
    `cannot use the guest's metadata: ${reason}`,
    'fetch the metadata from the guest that the pages come from',
    { cause },
  );
}

/**
 * Parses the result of {@link readMetadataArchive}. Only `events/header_page` and event formats are required.
 * Throws Failure if one of them is missing or malformed.
 */
export function parseMetadata(contents: ReadonlyMap<string, Buffer>): GuestMetadata {
  const headerPage = contents.get('events/header_page');
  if (headerPage === undefined) throw unusable('events/header_page is missing');
  const layout = layoutOf(headerPage);

  const formats = new Map<string, Map<string, Buffer>>();
  let formatBytes = 0;
  const stats = new Map<number, string>();
  const others = new Map<string, Buffer>();
  for (const [name, content] of contents) {
    const [, system, event] = /^events\/([^/]+)\/([^/]+)\/format$/.exec(name) ?? [];
    const cpu = /^per_cpu\/cpu(\d+)\/stats$/.exec(name)?.[1];
    if (system !== undefined && event !== undefined) {
      const events = formats.get(system) ?? new Map<string, Buffer>();
      formats.set(system, events.set(event, content));
      formatBytes += content.length;
    } else if (cpu !== undefined) {
      stats.set(Number(cpu), content.toString('latin1'));
    } else if (!knownNames.has(name)) {
      others.set(name, content);
    }
  }
  if (formats.size === 0) throw unusable('it has no event formats');
  if (formatBytes > maxFormatBytes)
    throw unusable(`its event formats are more than ${maxFormatBytes >> 20} MiB`);

  const traceClock = contents.get('trace_clock')?.toString('latin1') ?? '';
  return {
    layout,
    headerPage,
    headerEvent: contents.get('events/header_event') ?? none,
    formats,
    catalogue: new EventCatalogue(formatTexts(formats), layout.commitBytes),
    kallsyms: contents.get('kallsyms') ?? none,
    printkFormats: contents.get('printk_formats') ?? none,
    savedCmdlines: cleanTaskNames(contents.get('saved_cmdlines') ?? none),
    savedTgids: cleanTgids(contents.get('saved_tgids') ?? none),
    symbols: symbolsOf(contents),
    stats,
    traceClock,
    clock: chosenClock(traceClock) ?? 'local',
    uname: (contents.get('uname')?.toString('latin1') ?? '').split('\n')[0] ?? '',
    others,
  };
}

function layoutOf(headerPage: Buffer): PageLayout {
  try {
    return parseUsualLayout(headerPage.toString('latin1'));
  } catch (error) {
    if (error instanceof FormatError) throw unusable(error.message, error);
    throw error;
  }
}

const knownNames: ReadonlySet<string> = new Set([
  'events/header_event',
  'events/header_page',
  'kallsyms',
  'printk_formats',
  'saved_cmdlines',
  'saved_tgids',
  'trace_clock',
  'uname',
]);

/** All format texts, by path. */
export function* formatTexts(formats: GuestMetadata['formats']): Generator<readonly [string, string]> {
  for (const [system, events] of formats) {
    for (const [event, text] of events) yield [`events/${system}/${event}/format`, text.toString('latin1')];
  }
}

/** Reads a metadata archive from a file. Throws Failure. */
export async function readMetadataFile(path: string): Promise<GuestMetadata> {
  return parseMetadata(await readArchiveFile(path));
}

/** The contents of a metadata archive by name. Throws Failure that begins with the path. */
export async function readArchiveFile(path: string): Promise<Map<string, Buffer>> {
  try {
    const file = await openInput(path);
    return await readMetadataArchive(file.createReadStream());
  } catch (error) {
    if (!(error instanceof Failure) || error.message.startsWith(path)) throw error;
    throw new Failure(error.exitCode, `${path}: ${error.message}`, error.remedy, { cause: error });
  }
}
