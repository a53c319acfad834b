import type { EventFormat } from '../../trace/format/event-format.ts';
import { softirqNames } from '../../trace/format/softirq-names.ts';
import { identifier, literal, parquet } from './sql-text.ts';
import { stateText } from './state-text.ts';

/** A type that occurs in the trace, and its Parquet file. */
export interface EventTable {
  /** The type's format; undefined if it has none: its name is then `#id`. */
  readonly format: EventFormat | undefined;
  readonly fullName: string;
  readonly path: string;
}

/** Statements that create the views of a trace. */
export function viewStatements(tables: readonly EventTable[], tasksPath: string): string[] {
  const sources = new Sources(tables);
  const derived: readonly (readonly [name: string, select: string])[] = [
    ['thread', `SELECT * EXCLUDE (file_row_number) FROM ${parquet(tasksPath)}`],
    ['sched_slice', schedSlice(sources)],
    ['wakeup_latency', wakeupLatency(sources)],
    ['irq_slice', irqSlice(sources)],
  ];
  const taken = new Set<string>();
  const statements: string[] = [];
  const add = (name: string, select: string): void => {
    // SQL ignores case
    const key = name.toLowerCase();
    if (taken.has(key)) return;
    taken.add(key);
    statements.push(`CREATE VIEW ${identifier(name)} AS ${select}`);
  };
  for (const [name, select] of derived) add(name, select);
  const events = tables.map(({ format, fullName, path }) => ({
    name: format?.name,
    fullName,
    select: `SELECT * EXCLUDE (file_row_number) FROM ${parquet(path)}`,
  }));
  for (const { fullName, select } of events) add(fullName, select);
  const short = new Map<string, number>();
  for (const { name } of events)
    if (name !== undefined) short.set(name.toLowerCase(), (short.get(name.toLowerCase()) ?? 0) + 1);
  for (const { name, select } of events)
    if (name !== undefined && short.get(name.toLowerCase()) === 1) add(name, select);
  return statements;
}

/** Looks up event tables by name, for views that need specific fields. */
class Sources {
  readonly #byName: ReadonlyMap<string, EventTable>;

  constructor(tables: readonly EventTable[]) {
    this.#byName = new Map(tables.map((table) => [table.fullName, table]));
  }

  /** A type's table; undefined if it does not occur or lacks one of the fields: a format comes from the guest. */
  find(name: string, fields: Readonly<Record<string, 'integer' | 'text'>>): EventTable | undefined {
    const table = this.#byName.get(name);
    const content = new Map(table?.format?.fields.map((field) => [field.name, field.content]));
    return Object.entries(fields).every(([field, kind]) => content.get(field) === kind) ? table : undefined;
  }
}

function empty(columns: Readonly<Record<string, string>>): string {
  const values = Object.entries(columns).map(([name, type]) => `NULL::${type} AS ${name}`);
  return `SELECT ${values.join(', ')} WHERE false`;
}

const switchFields = {
  prev_pid: 'integer',
  prev_state: 'integer',
  next_pid: 'integer',
  next_comm: 'text',
  next_prio: 'integer',
} as const;

/** A slice lasts until the next switch on its CPU; after a loss, its end state is unknown. */
function schedSlice(sources: Sources): string {
  const table = sources.find('sched:sched_switch', switchFields);
  if (table?.format === undefined)
    return empty({
      ts: 'BIGINT',
      dur: 'BIGINT',
      cpu: 'INTEGER',
      tid: 'INTEGER',
      comm: 'VARCHAR',
      prio: 'INTEGER',
      end_state: 'VARCHAR',
    });
  return (
    `SELECT ts, next_ts - ts AS dur, cpu, tid, comm, prio, ` +
    `CASE WHEN ended_tid = tid THEN ${stateText(table.format, 'state')} END AS end_state FROM (` +
    `SELECT _ts AS ts, lead(_ts) OVER w AS next_ts, _cpu AS cpu, next_pid AS tid, next_comm AS comm, ` +
    `next_prio AS prio, lead(prev_pid) OVER w AS ended_tid, lead(prev_state) OVER w AS state, file_row_number ` +
    `FROM ${parquet(table.path)} WINDOW w AS (PARTITION BY _instance, _cpu ORDER BY _ts, file_row_number)` +
    `) ORDER BY ts`
  );
}

/**
 * The time from a wakeup to the task's next switch-in, unless it was switched out in between. A switch-out with the
 * same timestamp as the switch-in counts as later.
 */
function wakeupLatency(sources: Sources): string {
  const fields = { comm: 'text', pid: 'integer', prio: 'integer' } as const;
  const switches = sources.find('sched:sched_switch', switchFields);
  // sched_waking is recorded in the waker's context; sched_wakeup may be on the woken task's CPU
  const wakes = [
    sources.find('sched:sched_waking', fields) ?? sources.find('sched:sched_wakeup', fields),
    sources.find('sched:sched_wakeup_new', fields),
  ].filter((table) => table !== undefined);
  if (switches === undefined || wakes.length === 0)
    return empty({
      ts: 'BIGINT',
      tid: 'INTEGER',
      comm: 'VARCHAR',
      prio: 'INTEGER',
      cpu: 'INTEGER',
      latency: 'BIGINT',
      waker_tid: 'INTEGER',
      waker_comm: 'VARCHAR',
      waker_cpu: 'INTEGER',
    });
  const woken = wakes.map(
    ({ path }) =>
      `SELECT _ts, _cpu, _tid, _comm, coalesce(_instance, '') AS i, pid, comm, prio FROM ${parquet(path)}`,
  );
  const from = parquet(switches.path);
  return (
    `WITH wake AS (${woken.join(' UNION ALL ')}), ` +
    `run AS (SELECT _ts, _cpu, coalesce(_instance, '') AS i, next_pid FROM ${from}), ` +
    `stop AS (SELECT _ts, coalesce(_instance, '') AS i, prev_pid FROM ${from}) ` +
    `SELECT wake._ts AS ts, wake.pid AS tid, wake.comm, wake.prio, run._cpu AS cpu, run._ts - wake._ts AS latency, ` +
    `wake._tid AS waker_tid, wake._comm AS waker_comm, wake._cpu AS waker_cpu FROM run ` +
    `ASOF JOIN wake ON run.i = wake.i AND run.next_pid = wake.pid AND run._ts >= wake._ts ` +
    `ASOF LEFT JOIN stop ON run.i = stop.i AND run.next_pid = stop.prev_pid AND run._ts > stop._ts ` +
    `WHERE run.next_pid <> 0 AND (stop._ts IS NULL OR stop._ts <= wake._ts) ORDER BY ts`
  );
}

/**
 * From an entry to the exit of the same interrupt on the same CPU; no duration if that interrupt's next event is not an
 * exit.
 */
function irqSlice(sources: Sources): string {
  const kinds: string[] = [];
  const entry = sources.find('irq:irq_handler_entry', { irq: 'integer', name: 'text' });
  const exit = sources.find('irq:irq_handler_exit', { irq: 'integer' });
  if (entry !== undefined && exit !== undefined) kinds.push(slices('irq', 'irq', 'name', entry, exit));
  const softEntry = sources.find('irq:softirq_entry', { vec: 'integer' });
  const softExit = sources.find('irq:softirq_exit', { vec: 'integer' });
  const name = `CASE vec ${softirqNames.map((text, vec) => `WHEN ${vec} THEN ${literal(text)}`).join(' ')} END`;
  if (softEntry !== undefined && softExit !== undefined)
    kinds.push(slices('softirq', 'vec', name, softEntry, softExit));
  if (kinds.length === 0)
    return empty({
      ts: 'BIGINT',
      dur: 'BIGINT',
      cpu: 'INTEGER',
      kind: 'VARCHAR',
      number: 'BIGINT',
      name: 'VARCHAR',
    });
  return `SELECT * FROM (${kinds.join(' UNION ALL ')}) ORDER BY ts`;
}

function slices(kind: string, number: string, name: string, entry: EventTable, exit: EventTable): string {
  const columns = `_ts, _cpu, _instance, file_row_number, ${number}::BIGINT AS number`;
  return (
    `SELECT ts, CASE WHEN next_exits THEN next_ts - ts END AS dur, cpu, '${kind}' AS kind, number, name FROM (` +
    `SELECT _ts AS ts, _cpu AS cpu, number, name, exits, lead(_ts) OVER w AS next_ts, lead(exits) OVER w AS next_exits ` +
    `FROM (SELECT ${columns}, ${name} AS name, false AS exits FROM ${parquet(entry.path)} ` +
    `UNION ALL SELECT ${columns}, NULL AS name, true AS exits FROM ${parquet(exit.path)}) ` +
    `WINDOW w AS (PARTITION BY _instance, _cpu, number ORDER BY _ts, exits, file_row_number)) WHERE NOT exits`
  );
}
