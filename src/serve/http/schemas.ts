/** JSON schemas of what the API takes and answers: they validate requests, and are in the OpenAPI document. */

type Schema = Readonly<Record<string, unknown>>;

const text: Schema = { type: 'string' };
const flag: Schema = { type: 'boolean' };
const count: Schema = { type: 'number', minimum: 0 };
const orNull = (schema: Schema): Schema => ({ anyOf: [schema, { type: 'null' }] });
const list = (items: Schema): Schema => ({ type: 'array', items });
const oneOf = (...words: readonly string[]): Schema => ({ type: 'string', enum: words });

/** An object with exactly these properties. */
function object(properties: Readonly<Record<string, Schema>>, optional: readonly string[] = []): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', properties, required, additionalProperties: false };
}

export const problem = object({ title: text, status: { type: 'integer' }, detail: text, remedy: text });

const agent = object({ version: text, uptimeMs: count, restarts: count });
const guest = object({
  name: text,
  dir: text,
  state: oneOf('stopped', 'tracing', 'recording', 'gone'),
  agent: orNull(agent),
  cpus: count,
  lostBytes: count,
  job: orNull(text),
  why: orNull(text),
});
export const guests = object({ guests: list(guest), host: object({ cpus: count, hostname: text }) });

export const job = object({
  id: text,
  kind: oneOf('record'),
  guests: list(text),
  host: flag,
  startedAt: text,
  state: oneOf('running', 'stopping', 'converting', 'waiting', 'done', 'failed'),
  progress: orNull(object({ elapsedMs: count, durationMs: orNull(count), bytes: count })),
  error: orNull(text),
  recording: orNull(text),
});
export const jobs = object({ jobs: list(job) });

const machine = object({ name: orNull(text), host: flag, file: text, bytes: count, cpus: count });
export const recording = object({
  id: text,
  createdAt: text,
  state: oneOf('recording', 'done'),
  bytes: count,
  spanNs: count,
  lostBytes: count,
  overrun: count,
  machines: list(machine),
  whole: flag,
  error: orNull(text),
});
export const recordings = object({ recordings: list(recording), freeBytes: count });

const guestName: Schema = { type: 'string', pattern: '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$' };
const guestNames: Schema = { type: 'array', items: guestName, maxItems: 64, uniqueItems: true };
const eventNames: Schema = {
  type: 'array',
  items: { type: 'string', pattern: '^[A-Za-z0-9_*?:.-]{1,128}$' },
  minItems: 1,
  maxItems: 64,
};

export const recordRequest = object(
  {
    guests: guestNames,
    host: flag,
    durationMs: { type: 'integer', minimum: 100, maximum: 24 * 3600 * 1000 },
    events: eventNames,
  },
  ['durationMs', 'events'],
);
export const startedJob = object({ job: text });

export const newCode = object({ code: text, expiresAt: text, url: text });
export const codeRequest = object({ code: { type: 'string', minLength: 1, maxLength: 128 } });

/** Objects that another command prints: docs/json.md describes them. */
export const anyObject: Schema = { type: 'object', additionalProperties: true };

const time: Schema = { type: 'string', pattern: '^[+0-9a-z. ]{1,40}$' };
export const reportQuery = object(
  { from: time, to: time, limit: { type: 'integer', minimum: 1, maximum: 1_000_000 } },
  ['from', 'to', 'limit'],
);
export const explainQuery = object(
  { guest: guestName, worst: { type: 'integer', minimum: 1, maximum: 1000 } },
  ['guest', 'worst'],
);
export const columnsQuery = object({ from: count, to: count }, ['from', 'to']);
export const eventsQuery = object(
  { now: { anyOf: [guestName, { type: 'array', items: guestName, maxItems: 16 }] } },
  ['now'],
);
