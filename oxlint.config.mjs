/**
 * The rooms of src/, and what each may import besides itself. The order is the order of the list: no room imports one
 * that comes later. docs/architecture.md says what is in each.
 */
export const rooms = {
  base: [],
  native: ['base'],
  protocol: ['base', 'native'],
  tracefs: ['base', 'native', 'protocol'],
  worker: ['base', 'native', 'protocol'],
  supervisor: ['base', 'native', 'protocol', 'tracefs'],
  trace: ['base', 'native', 'protocol'],
  print: ['base', 'trace'],
  analysis: ['base', 'trace', 'print'],
  clock: ['base', 'trace', 'analysis'],
  export: ['base', 'trace', 'print', 'analysis'],
  host: ['base', 'native', 'protocol', 'trace', 'clock'],
  serve: ['base', 'native', 'protocol', 'supervisor', 'trace', 'host'],
  cli: [
    'base',
    'native',
    'protocol',
    'supervisor',
    'trace',
    'print',
    'analysis',
    'clock',
    'export',
    'host',
    'serve',
  ],
  page: ['base', 'analysis'],
};

/** The same inside a room: a folder imports no folder that comes later, and no file of the room that uses folders. */
export const foldersOf = {
  native: ['io', 'wait', 'process', 'ipc'],
  tracefs: ['metadata', 'settings'],
  supervisor: ['ports', 'workers', 'orders'],
  trace: [
    'file',
    'format',
    'ring',
    'metadata',
    'check',
    'dat',
    'recording',
    'framed',
    'source',
    'filter',
    'events',
    'convert',
  ],
  print: ['text', 'format', 'symbols', 'value', 'event', 'handlers', 'report', 'parallel'],
  analysis: ['explain', 'timeline', 'now'],
  clock: ['map', 'order', 'exclusion'],
  export: ['output', 'perfetto', 'text', 'parquet', 'query'],
  host: [
    'qmp',
    'qemu',
    'guest-dir',
    'this-host',
    'control',
    'setup',
    'metadata',
    'events',
    'vcpus',
    'clocks',
    'record',
    'doctor',
  ],
  serve: ['http', 'state', 'routes'],
  cli: ['options', 'report', 'agent', 'host'],
  page: ['data', 'parts', 'now', 'recordings', 'timeline', 'why'],
};

/** @param depth folders between the importing file and the one that holds `names` */
function forbid(names, depth, message) {
  return { regex: `^(\\.\\./){${depth}}(${names.join('|')})/`, message };
}

const roomNames = Object.keys(rooms);

/** Rules for the files that are `depth` folders below src/ in a room, or in one of its folders. */
function rulesFor(room, folder, depth) {
  const patterns = [];
  const closed = roomNames.filter((name) => name !== room && !rooms[room].includes(name));
  const may = rooms[room].join(', ') || 'no other room';
  patterns.push(forbid(closed, depth, `src/${room} may import: ${may} (oxlint.config.mjs)`));
  const folders = foldersOf[room] ?? [];
  const later = folder === undefined ? [] : folders.slice(folders.indexOf(folder) + 1);
  if (later.length > 0)
    patterns.push(
      forbid(later, depth - 1, `src/${room}/${folder} comes before that folder (oxlint.config.mjs)`),
    );
  const below = folder === undefined ? [] : [folder, ...Array(depth - 2).fill('*')];
  return {
    files: ['*.ts', '*.tsx'].map((name) => ['src', room, ...below, name].join('/')),
    rules: { 'no-restricted-imports': ['error', { patterns }] },
  };
}

const overrides = roomNames.flatMap((room) => [
  rulesFor(room, undefined, 1),
  ...(foldersOf[room] ?? []).flatMap((folder) => [2, 3].map((depth) => rulesFor(room, folder, depth))),
]);

export default {
  plugins: ['typescript', 'unicorn', 'import', 'promise', 'node'],
  categories: { correctness: 'error', suspicious: 'error' },
  rules: {
    'typescript/no-floating-promises': [
      'error',
      {
        allowForKnownSafeCalls: [
          {
            from: 'package',
            package: 'node:test',
            name: ['describe', 'it', 'test', 'before', 'after', 'beforeEach', 'afterEach', 'suite'],
          },
        ],
      },
    ],
    'typescript/no-misused-promises': 'error',
    // a default counts; `x satisfies never` in it asks for all cases
    'typescript/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    'import/no-cycle': ['error', { ignoreTypes: false }],
    'no-await-in-loop': 'off',
    'no-underscore-dangle': 'off',
    'no-shadow': 'off',
    'unicorn/no-array-sort': 'off',
    'unicorn/consistent-function-scoping': 'off',
    'import/no-unassigned-import': 'off',
  },
  overrides,
  ignorePatterns: ['dist', 'node_modules', 'coverage', 'test/fixtures'],
};
