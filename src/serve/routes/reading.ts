import { createReadStream, existsSync, renameSync, rmSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { isObject } from '../../base/json-type.ts';
import { writeReplacing } from '../../trace/file/write-replacing.ts';
import { Problem } from '../http/problem.ts';
import * as schemas from '../http/schemas.ts';
import { runTool, streamTool } from '../state/child.ts';
import { inputsOf } from '../state/finish.ts';
import type { RecordingView } from '../state/views.ts';
import type { Daemon } from './daemon-state.ts';
import { answers } from './routes.ts';
import { columnsOf } from './timeline-columns.ts';

interface WithId {
  readonly Params: { readonly id: string };
}

const minutes = 60_000;
const explainLimits = { timeoutMs: 5 * minutes, outputBytes: 64 << 20 };
const reportLimits = { timeoutMs: 5 * minutes, outputBytes: 256 << 20 };
const exportLimits = { timeoutMs: 10 * minutes, outputBytes: 4 * 2 ** 30 };
const timelineLimits = { timeoutMs: 10 * minutes, outputBytes: 1 << 20 };
const usualLines = 10_000;

const binary = (description: string): object => ({
  description,
  content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } },
});

/** What is read of recordings: files, reports, explanations, timelines; all by commands of this program. */
export function addReadingRoutes(app: FastifyInstance, { children, recordings }: Daemon): void {
  /** The recording's files as operands. @throws Problem */
  const inputs = (id: string): string[] => {
    const recording = recordings.get(id);
    if (recording.state !== 'done')
      throw new Problem(409, 'the recording is still being made', 'wait for its end');
    if (recording.machines.length === 0)
      throw new Problem(409, 'this recording has no file', 'see its error');
    return inputsOf(
      recordings.folder(id),
      recording.machines.map(({ file }) => file),
    );
  };

  app.get<{ Params: { readonly id: string; readonly n: string } }>(
    '/api/recordings/:id/files/:n',
    { schema: { summary: 'the file of machine n', response: answers({ 200: binary('a trace.dat') }) } },
    async ({ params: { id, n } }, reply) => {
      const recording = recordings.get(id);
      const machine = /^\d{1,3}$/.test(n) ? recording.machines[Number(n)] : undefined;
      if (machine === undefined) throw new Problem(404, 'this recording has no such file');
      return download(
        reply,
        createReadStream(join(recordings.folder(id), machine.file)),
        nameOf(recording, machine.file),
        machine.bytes,
      );
    },
  );

  app.get<WithId>(
    '/api/recordings/:id/perfetto',
    {
      schema: {
        summary: 'for the Perfetto UI',
        response: answers({ 200: binary('a Perfetto trace, gzipped') }),
      },
    },
    async ({ params: { id } }, reply) => {
      const args = ['export', ...inputs(id), '--to=perfetto', '--gzip', '--output=-'];
      const out = await streamTool(children, args, exportLimits);
      return download(reply, out, nameOf(recordings.get(id), 'trace.pftrace.gz'));
    },
  );

  app.get<WithId & { readonly Querystring: { from?: string; to?: string; limit?: number } }>(
    '/api/recordings/:id/report',
    {
      schema: {
        summary: 'events as text',
        querystring: schemas.reportQuery,
        response: answers({
          200: { description: 'lines', content: { 'text/plain': { schema: { type: 'string' } } } },
        }),
      },
    },
    async ({ params: { id }, query: { from, to, limit = usualLines } }, reply) => {
      const times = Object.entries({ from, to }).flatMap(([name, value]) =>
        value === undefined ? [] : [`--${name}=${value}`],
      );
      let left = limit;
      const take = (chunk: Buffer): Buffer => {
        for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1))
          if (--left === 0) return chunk.subarray(0, at + 1);
        return chunk;
      };
      const args = ['report', ...inputs(id), ...times];
      const out = await streamTool(children, args, reportLimits, take);
      return reply.type('text/plain; charset=utf-8').send(out);
    },
  );

  app.get<WithId & { readonly Querystring: { guest?: string; worst?: number } }>(
    '/api/recordings/:id/explain',
    {
      schema: {
        summary: "who made guests' tasks wait",
        querystring: schemas.explainQuery,
        response: answers({ 200: schemas.anyObject }),
      },
    },
    async ({ params: { id }, query: { guest, worst = 20 } }, reply) => {
      const files = inputs(id);
      const cached = join(
        recordings.cache(id),
        `explain-${worst}${guest === undefined ? '' : `-${guest}`}.json`,
      );
      if (!existsSync(cached)) {
        const only = guest === undefined ? [] : [`--guest=${guest}`];
        const args = ['explain', ...files, '--json', `--worst=${worst}`, ...only];
        const printed = await runTool(children, args, explainLimits);
        const value: unknown = JSON.parse(printed.toString());
        if (!isObject(value)) throw new Problem(502, 'trace-host explain printed no object');
        // without space for it, it is computed again the next time
        await writeReplacing(cached, (file) => file.writeFile(printed)).catch(() => undefined);
        return reply.send(value);
      }
      return reply.type('application/json; charset=utf-8').send(createReadStream(cached));
    },
  );

  const making = new Map<string, Promise<void>>();
  /** Makes the timeline's files if they are not there. @returns their directory @throws Problem */
  const timeline = async (id: string): Promise<string> => {
    const files = inputs(id);
    const dir = join(recordings.cache(id), 'timeline');
    if (existsSync(dir)) return dir;
    const made = making.get(id) ?? makeTimeline(files, dir).finally(() => making.delete(id));
    making.set(id, made);
    await made;
    return dir;
  };
  const makeTimeline = async (files: readonly string[], dir: string): Promise<void> => {
    const work = `${dir}.new`;
    rmSync(work, { recursive: true, force: true });
    await mkdir(work, { mode: 0o700 });
    await runTool(children, ['timeline', ...files, `--output=${work}`], timelineLimits);
    renameSync(work, dir);
  };
  app.get<WithId>(
    '/api/recordings/:id/timeline',
    { schema: { summary: 'rows and levels of the timeline', response: answers({ 200: schemas.anyObject }) } },
    async ({ params: { id } }, reply) =>
      reply
        .type('application/json; charset=utf-8')
        .send(await readFile(join(await timeline(id), 'index.json'))),
  );
  app.get<{
    Params: { readonly id: string; readonly row: string; readonly level: string };
    Querystring: { readonly from?: number; readonly to?: number };
  }>(
    '/api/recordings/:id/timeline/:row/:level',
    {
      schema: {
        summary: 'columns of slices, in chunks',
        querystring: schemas.columnsQuery,
        response: answers({ 200: binary('columns') }),
      },
    },
    async ({ params: { id, row, level }, query: { from = 0, to = Infinity } }, reply) => {
      if (!/^\d{1,6}$/.test(row) || !/^\d{1,3}$/.test(level)) throw new Problem(404, 'there is no such row');
      const columns = await columnsOf(await timeline(id), Number(row), Number(level), from, to);
      return reply.type('application/octet-stream').send(columns);
    },
  );
}

function nameOf({ createdAt }: RecordingView, file: string): string {
  return `${createdAt.slice(0, 19).replaceAll(/[^\dT]/g, '')}-${file.replaceAll(/[^\w.+-]/g, '_')}`;
}

function download(
  reply: FastifyReply,
  body: NodeJS.ReadableStream,
  name: string,
  bytes?: number,
): FastifyReply {
  if (bytes !== undefined) reply.header('content-length', bytes);
  return reply
    .type('application/octet-stream')
    .header('content-disposition', `attachment; filename="${name}"`)
    .send(body);
}
