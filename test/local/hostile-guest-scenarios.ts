import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { HostileAgent, Order } from './hostile-guest-agent.ts';
import { type Entries, fixture, packed, sampleEntries, samplePages } from './hostile-guest-samples.ts';

const mib = 1 << 20;

/** Terminal control: title, colours, the one-byte CSI, a change of the writing direction, DEL, a line of its own. */
export const escapes = '\x1b]0;owned\x07\x1b[31m\u009b2J\u202e\x7f\r\ntrace-host: all is well\x00';

function* times(count: number, piece: Uint8Array): Generator<Uint8Array> {
  for (let turn = 0; turn < count; turn += 1) yield piece;
}

function* forEver(piece: Uint8Array): Generator<Uint8Array> {
  for (;;) yield piece;
}

/**
 * A page of the sample again and again, until `ends`: the times of the first one are those of second 1, of the next one
 * those of second 2, and so on. In pieces that do not end with a page.
 */
async function* numberedPages(cpu: number, ends: () => boolean): AsyncGenerator<Uint8Array> {
  const sample = samplePages(cpu).subarray(4096, 2 * 4096);
  const numberedPage = (number: number): Buffer => {
    const page = Buffer.from(sample);
    page.writeBigUInt64LE(BigInt(number) * 1_000_000_000n, 0);
    return page;
  };
  let rest = Buffer.alloc(0);
  for (let number = 1; !ends(); ) {
    rest = Buffer.concat([rest, ...Array.from({ length: 5 }, () => numberedPage(number++))]);
    // leaves a part of a page for the next turn
    const bytes = Math.floor(rest.length / 1000) * 1000 - 1000;
    yield rest.subarray(0, bytes);
    rest = rest.subarray(bytes);
    await sleep(10);
  }
  yield rest;
}

/** Valid pages, each of them damaged by `change`. */
function spoilt(change: (page: Buffer, index: number) => void): (cpu: number) => Iterable<Uint8Array> {
  return (cpu) => {
    const bytes = samplePages(cpu);
    for (let index = 0; index * 4096 < bytes.length; index += 1)
      change(bytes.subarray(index * 4096, (index + 1) * 4096), index);
    return [bytes];
  };
}

/** Archives of the sample's entries with one entry that no agent packs. */
const strangeEntries: Readonly<Record<string, Entries>> = {
  'path-dotdot': [[{ name: '../../etc/x' }, 'x']],
  'path-inner-dotdot': [[{ name: 'events/../../../etc/x/format' }, 'x']],
  'path-absolute': [[{ name: '/etc/x' }, 'x']],
  'path-symlink': [[{ name: 'uname', type: 'symlink', linkname: '/etc/passwd' }, '']],
  'path-device': [[{ name: 'uname', type: 'character-device' }, '']],
  'path-escapes': [[{ name: escapes.replaceAll('\0', '') }, 'x']],
  'path-many': Array.from({ length: 80_000 }, (_, index): Entries[number] => [{ name: `f${index}` }, '']),
};

/** Terminal escapes in every text of the guest that is printed or kept. */
function withEscapes(entries: Entries): Entries {
  return [
    ...entries
      .filter(([{ name }]) => !/(^|\/)(uname|saved_cmdlines)$/.test(name))
      .map(([header, content]): Entries[number] => [
        header,
        /^name: sched_(switch|wakeup)$/m.test(content)
          ? content.replace(/^name: (\S+)$/m, 'name: $1\x1b[31m\x9b2J\x7f')
          : content,
      ]),
    [{ name: 'uname' }, 'Linux \x1b]0;owned\x07\x9b2J\x7f 6.1\n'],
    [{ name: 'saved_cmdlines' }, '1 \x1b[31minit\x9b2J\n2 \x1b]0;owned\x07\n'],
  ];
}

function withHugePages(entries: Entries): Entries {
  return entries.map(([header, content]) => [
    header,
    header.name.endsWith('header_page') ? content.replaceAll(/size:\d+/g, `size:${2 ** 40}`) : content,
  ]);
}

/** 55 MiB of formats, which take half a GB when parsed. */
function withManyFormats(entries: Entries): Entries {
  const fields = '\tfield:int a; offset:8; size:4; signed:1;\n'.repeat(26_000);
  return [
    ...entries,
    ...Array.from({ length: 55 }, (_, index): Entries[number] => [
      { name: `events/big/e${index}/format` },
      `name: e${index}\nID: ${60_000 + index}\nformat:\n${fields}\nprint fmt: ""\n`,
    ]),
  ];
}

/** Sends the sample's metadata with changed entries. */
function repacking(change: (entries: Entries) => Entries): Scenario {
  return async (agent) => sending(await packed(change(await sampleEntries())))(agent);
}

type Scenario = (agent: HostileAgent) => void | Promise<void>;

function sending(payload: Uint8Array, bytes?: number): Scenario {
  return (agent) => {
    agent.metadata = () => ({ payload: [payload], ...(bytes === undefined ? {} : { bytes }) });
  };
}

/** Changes the answer to one kind of order. */
function answering(which: Order['order'], how: (good: Record<string, unknown>) => unknown): Scenario {
  return (agent) => {
    agent.answer = (order, good) => (order.order === which ? how(good) : good);
  };
}

/** Values that are invalid as a number, text or object of an answer. */
const nonsense: readonly unknown[] = [-1, 1.5, 1e300, '7', null, [], {}, true, escapes, 'x'.repeat(2000)];

/** Every answer in which one value, at any depth, is invalid; each time another one. */
function* mangled(good: unknown): Generator {
  if (typeof good !== 'object' || good === null) {
    yield* nonsense.filter((bad) => bad !== good);
    return;
  }
  for (const [name, value] of Object.entries(good)) {
    if (name === 'id') continue;
    yield Object.fromEntries(Object.entries(good).filter(([other]) => other !== name));
    for (const bad of mangled(value)) yield { ...good, [name]: bad };
  }
}

/** Number of invalid values to try; the parser's own tests try all of them. */
const turns = 2;

function mangling(which: Order['order'], turn: number): Scenario {
  return answering(which, (good) => {
    const all = [...mangled(good)];
    return all[Math.floor(((turn + 0.5) * all.length) / turns)];
  });
}

/** Sends nothing more from that order on. */
function mute(which: Order['order']): Scenario {
  return (agent) => {
    let fallenSilent = false;
    agent.answer = ({ order }, good) => {
      fallenSilent ||= order === which;
      return fallenSilent ? undefined : good;
    };
  };
}

function onStart(what: (agent: HostileAgent) => void): Scenario {
  return (agent) => {
    agent.after = ({ order }) => {
      if (order === 'start') setTimeout(() => what(agent), 300);
    };
  };
}

export const scenarios: Readonly<Record<string, Scenario>> = {
  honest: () => undefined,

  // pages
  'pages-random': (agent) => {
    agent.pages = () => [randomBytes(2 * mib)];
  },
  'pages-zero': (agent) => {
    agent.pages = () => [Buffer.alloc(mib)];
  },
  'pages-commit': (agent) => {
    const commits = [0n, 1n, 4081n, 0xffffffffn, 1n << 63n, (1n << 64n) - 1n, 0xc000_0000n | 4080n];
    agent.pages = spoilt((page, index) => page.writeBigUInt64LE(commits[index % commits.length]!, 8));
  },
  'pages-unknown-event': (agent) => {
    // the first record's type, after its 4-byte header
    agent.pages = spoilt((page) => page.writeUInt16LE(65_000, 20));
  },
  'pages-bits': (agent) => {
    agent.pages = spoilt((page, index) => {
      for (let byte = 16; byte < 4096; byte += 97) page[byte] = page[byte]! ^ (1 << ((index + byte) % 8));
    });
  },
  'pages-partial': (agent) => {
    agent.pages = (cpu) => [samplePages(cpu).subarray(0, 10 * 4096 + 1234)];
  },
  'pages-none-of-one': (agent) => {
    agent.pages = (cpu) => (cpu === 0 ? [samplePages(0)] : []);
  },
  'pages-flood': (agent) => {
    const garbage = randomBytes(mib);
    agent.pages = () => times(150, garbage);
  },
  'pages-for-ever': (agent) => {
    agent.pages = () => forEver(randomBytes(mib));
  },
  'pages-before-start': (agent) => {
    for (const cpu of [0, 1]) void agent.send(cpu, forEver(randomBytes(mib)));
  },

  // metadata
  'metadata-endless': (agent) => {
    agent.metadata = () => ({ bytes: 16 * mib, payload: forEver(randomBytes(mib)) });
  },
  'metadata-more': (agent) => {
    agent.metadata = () => ({ bytes: 5, payload: times(1024, randomBytes(mib)) });
  },
  'metadata-never': (agent) => {
    agent.metadata = () => ({ bytes: 16 * mib, payload: [] });
  },
  'metadata-huge': (agent) => {
    agent.metadata = () => ({ bytes: 2 ** 40, payload: [] });
  },
  'metadata-nothing': sending(Buffer.alloc(0)),
  'metadata-random': sending(randomBytes(mib)),
  'metadata-cut': sending(fixture('A/meta.tar.gz').subarray(0, 100_000)),
  'metadata-bomb': (agent) => sending(gzipSync(Buffer.alloc(256 * mib)))(agent),
  'metadata-no-header': repacking((all) => all.filter(([{ name }]) => !name.includes('header_page'))),
  'metadata-no-events': repacking((all) => all.filter(([{ name }]) => !name.includes('format'))),
  'metadata-huge-pages': repacking(withHugePages),
  'metadata-many-formats': repacking(withManyFormats),
  'metadata-escapes': repacking(withEscapes),
  'names-random': (agent) => {
    agent.metadata = () => ({ payload: [agent.stopped ? randomBytes(mib) : fixture('A/meta.tar.gz')] });
  },
  'names-override': async (agent) => {
    const misread = await packed(withHugePages(await sampleEntries()));
    agent.metadata = () => ({ payload: [agent.stopped ? misread : fixture('A/meta.tar.gz')] });
  },
  ...Object.fromEntries(
    Object.entries(strangeEntries).map(([name, more]) => [
      `metadata-${name}`,
      repacking((all) => [...all, ...more]),
    ]),
  ),

  // answers
  ...Object.fromEntries(
    (['start', 'stop', 'status', 'metadata', 'ping'] as const).flatMap((order) => [
      ...Array.from({ length: turns }, (_, turn) => [`answer-${order}-${turn}`, mangling(order, turn)]),
      [
        `answer-${order}-error`,
        answering(order, ({ id }) => ({ id, ok: false, error: { code: escapes, message: escapes } })),
      ],
      [`answer-${order}-none`, mute(order)],
    ]),
  ),
  'answer-escapes': (agent) => {
    agent.version = escapes;
    agent.answer = (order, good) => {
      if (order.order !== 'status') return good;
      return JSON.parse(
        JSON.stringify(good).replaceAll('"pid":1', `"pid":1,"reason":${JSON.stringify(escapes)}`),
      );
    };
  },
  'answer-flood': (agent) => {
    const line = Buffer.from(`{"id":"somebody","ok":true,"state":"stopped","text":"${escapes}"}\n`);
    const lines = Buffer.concat(Array.from({ length: 8192 }, () => line));
    void agent.sayAll(forEver(lines));
  },
  'answer-line-for-ever': (agent) => {
    void agent.sayAll(forEver(Buffer.alloc(mib, 'x')));
  },

  // life
  'life-dies': onStart((agent) => agent.die()),
  'life-restarts': onStart((agent) => agent.restart()),
  'life-stops': onStart((agent) => {
    agent.state = 'stopped';
  }),
};

/** Prints the received orders to stdout, in order. */
function telling(scenario: Scenario): Scenario {
  return async (agent) => {
    agent.after = ({ order }) => {
      writeSync(1, `${order}\n`);
    };
    await scenario(agent);
  };
}

/** Not for a recording that ends by itself; each scenario has its own test. */
export const loneScenarios: Readonly<Record<string, Scenario>> = {
  'tells-honest': telling(() => undefined),
  'tells-start-never': telling(answering('start', () => undefined)),
  'tells-start-mute': telling(mute('start')),
  'tells-metadata-never': telling((agent) => {
    agent.metadata = () => ({ bytes: 16 * mib, payload: [] });
  }),
  'tells-pages-for-ever': telling((agent) => {
    agent.pages = () => forEver(samplePages(0));
  }),
  'has-one-cpu': (agent) => {
    const first = (cpus: unknown): object => ({ 0: Object.entries(cpus ?? {})[0]?.[1] });
    agent.pages = (cpu) => (cpu === 0 ? [samplePages(0)] : []);
    agent.answer = ({ order }, good) => {
      if (order === 'status') return { ...good, cpus: first(good['cpus']) };
      return order === 'stop' ? { ...good, ledger: first(good['ledger']) } : good;
    };
  },
  'holds-back': answering('stop', (good) =>
    JSON.parse(
      JSON.stringify(good).replaceAll('"bytesHeld":0,"flushed":true', '"bytesHeld":4096,"flushed":false'),
    ),
  ),
  'pages-numbered': (agent) => {
    agent.pagesEnd = true;
    agent.pages = (cpu) => numberedPages(cpu, () => agent.stopped);
  },
  'pages-numbered-die': (agent) => {
    agent.pagesEnd = true;
    agent.pages = (cpu) => numberedPages(cpu, () => agent.stopped);
    agent.after = ({ order }) => {
      if (order === 'start') setTimeout(() => agent.die(), 2500);
    };
  },
  'pages-numbered-restart': (agent) => {
    agent.pagesEnd = true;
    agent.pages = (cpu) => numberedPages(cpu, () => agent.stopped);
    agent.after = ({ order }) => {
      if (order === 'start') setTimeout(() => agent.restart(), 2500);
    };
  },
  'pages-many': (agent) => {
    agent.pages = (cpu) => times(1500, samplePages(cpu));
  },
};
