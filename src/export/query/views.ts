import type { EventFormat } from '../../trace/format/event-format.ts';
import { softirqNames } from '../../trace/format/softirq-names.ts';
import type { EventTable, QueriedMachine, QueriedTables } from './queried-tables.ts';
import { identifier, literal, parquet } from './sql-text.ts';
import { stateText } from './state-text.ts';

/** Statements that create the views of some tables. Those of several machines have a column `machine`. */
export function viewStatements({ machines, events: tables, tasksPath }: QueriedTables): string[] {
  const sources = machines.map((machine) => new Sources(tables, machine));
  const ofEach = (select: (sources: Sources) => string): string =>
    `SELECT * FROM (${sources
      .map((each) => `SELECT ${each.nameColumn}* FROM (${select(each)})`)
      .join(' UNION ALL ')}) ORDER BY ts`;
  const derived: readonly (readonly [name: string, select: string])[] = [
    ['thread', `SELECT * EXCLUDE (file_row_number) FROM ${parquet(tasksPath)}`],
    ['sched_slice', ofEach(schedSlice)],
    ['wakeup_latency', ofEach(wakeupLatency)],
    ['irq_slice', ofEach(irqSlice)],
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
  const events = tables.map(({ name, fullName, path }) => ({
    name,
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

/** The events of one type of one machine. */
interface Source {
  readonly format: EventFormat;
  /** What to select from: the common columns, the fields that were asked for, and `file_row_number`. */
  readonly from: string;
}

/** Looks up one machine's events by name, for views that need specific fields. */
class Sources {
  /** Begins the columns of a view; empty if there is only one machine. */
  readonly nameColumn: string;
  readonly #byName: ReadonlyMap<string, EventTable>;
  readonly #machine: QueriedMachine;

  constructor(tables: readonly EventTable[], machine: QueriedMachine) {
    const { name } = machine;
    this.nameColumn = name === undefined ? '' : `${literal(name)} AS machine, `;
    this.#byName = new Map(tables.map((table) => [table.fullName, table]));
    this.#machine = machine;
  }

  /** Undefined if no such event occurs, or the machine's lacks one of the fields: a format comes from the guest. */
  find(fullName: string, fields: Readonly<Record<string, 'integer' | 'text'>>): Source | undefined {
    const table = this.#byName.get(fullName);
    const format = this.#machine.format(fullName);
    if (table === undefined || format === undefined) return undefined;
    const columns: string[] = [];
    for (const [name, content] of Object.entries(fields)) {
      const field = format.fields.find((each) => each.name === name);
      const column = table.columns.find(({ fields }) => field !== undefined && fields.includes(field));
      if (field?.content !== content || column === undefined) return undefined;
      // another machine's field may have taken the name
      columns.push(`${identifier(column.name)} AS ${name}`);
    }
    const { name } = this.#machine;
    const where = name === undefined ? '' : ` WHERE _machine = ${literal(name)}`;
    const from = `(SELECT ${[...commonColumns, ...columns].join(', ')} FROM ${parquet(table.path)}${where})`;
    return { format, from };
  }
}

const commonColumns = ['_ts', '_cpu', '_tid', '_comm', '_instance', 'file_row_number'];

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
  const source = sources.find('sched:sched_switch', switchFields);
  if (source === undefined)
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
    `CASE WHEN ended_tid = tid THEN ${stateText(source.format, 'state')} END AS end_state FROM (` +
    `SELECT _ts AS ts, lead(_ts) OVER w AS next_ts, _cpu AS cpu, next_pid AS tid, next_comm AS comm, ` +
    `next_prio AS prio, lead(prev_pid) OVER w AS ended_tid, lead(prev_state) OVER w AS state, file_row_number ` +
    `FROM ${source.from} WINDOW w AS (PARTITION BY _instance, _cpu ORDER BY _ts, file_row_number))`
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
  const waking = sources.find('sched:sched_waking', fields);
  const wakeup = sources.find('sched:sched_wakeup', fields);
  const wakes = [
    waking?.from,
    // the events may be those of another machine
    wakeup && waking && `(SELECT * FROM ${wakeup.from} WHERE NOT EXISTS (FROM ${waking.from}))`,
    waking === undefined ? wakeup?.from : undefined,
    sources.find('sched:sched_wakeup_new', fields)?.from,
  ].filter((from) => from !== undefined);
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
    (from) => `SELECT _ts, _cpu, _tid, _comm, coalesce(_instance, '') AS i, pid, comm, prio FROM ${from}`,
  );
  const { from } = switches;
  return (
    `WITH wake AS (${woken.join(' UNION ALL ')}), ` +
    `run AS (SELECT _ts, _cpu, coalesce(_instance, '') AS i, next_pid FROM ${from}), ` +
    `stop AS (SELECT _ts, coalesce(_instance, '') AS i, prev_pid FROM ${from}) ` +
    `SELECT wake._ts AS ts, wake.pid AS tid, wake.comm, wake.prio, run._cpu AS cpu, run._ts - wake._ts AS latency, ` +
    `wake._tid AS waker_tid, wake._comm AS waker_comm, wake._cpu AS waker_cpu FROM run ` +
    `ASOF JOIN wake ON run.i = wake.i AND run.next_pid = wake.pid AND run._ts >= wake._ts ` +
    `ASOF LEFT JOIN stop ON run.i = stop.i AND run.next_pid = stop.prev_pid AND run._ts > stop._ts ` +
    `WHERE run.next_pid <> 0 AND (stop._ts IS NULL OR stop._ts <= wake._ts)`
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
  return kinds.join(' UNION ALL ');
}

function slices(kind: string, number: string, name: string, entry: Source, exit: Source): string {
  const columns = `_ts, _cpu, _instance, file_row_number, ${number}::BIGINT AS number`;
  return (
    `SELECT ts, CASE WHEN next_exits THEN next_ts - ts END AS dur, cpu, '${kind}' AS kind, number, name FROM (` +
    `SELECT _ts AS ts, _cpu AS cpu, number, name, exits, lead(_ts) OVER w AS next_ts, lead(exits) OVER w AS next_exits ` +
    `FROM (SELECT ${columns}, ${name} AS name, false AS exits FROM ${entry.from} ` +
    `UNION ALL SELECT ${columns}, NULL AS name, true AS exits FROM ${exit.from}) ` +
    `WINDOW w AS (PARTITION BY _instance, _cpu, number ORDER BY _ts, exits, file_row_number)) WHERE NOT exits`
  );
}
