import { cpus, hostname } from 'node:os';
import type { FastifyInstance } from 'fastify';
import type { Access } from '../http/token.ts';
import * as schemas from '../http/schemas.ts';
import { Problem } from '../http/problem.ts';
import type { Daemon } from './daemon-state.ts';
import type { RecordRequest, WatchRequest } from '../state/views.ts';

interface WithId {
  readonly Params: { readonly id: string };
}

/** Answers of a route: what it answers itself, and problems. */
export function answers(ok: Readonly<Record<number, object>>): object {
  return {
    ...ok,
    '4xx': { description: 'refused', content: { 'application/problem+json': { schema: schemas.problem } } },
    '5xx': { description: 'failed', content: { 'application/problem+json': { schema: schemas.problem } } },
  };
}

/** An answer without a body. */
const nothing = { type: 'null', description: 'done' };

/** Guests, jobs, recordings and watches. */
export function addRoutes(app: FastifyInstance, { guests, jobs, watches, recordings, tops }: Daemon): void {
  app.get(
    '/api/guests',
    { schema: { summary: 'guests and their state', response: answers({ 200: schemas.guests }) } },
    async () => ({ guests: guests.list(), host: { cpus: cpus().length, hostname: hostname() } }),
  );

  app.get(
    '/api/jobs',
    {
      schema: {
        summary: 'recordings and watches that run, or have just ended',
        response: answers({ 200: schemas.jobs }),
      },
    },
    async () => ({ jobs: byStart([...jobs.list(), ...watches.jobs()]) }),
  );
  app.delete<WithId>(
    '/api/jobs/:id',
    { schema: { summary: 'end a job in order, and wait for it', response: answers({ 200: schemas.job }) } },
    async ({ params: { id } }) => {
      if (!watches.has(id)) return jobs.stop(id);
      throw new Problem(409, 'this job is a watch', `DELETE /api/watches/${id}`);
    },
  );

  app.get(
    '/api/recordings',
    { schema: { summary: 'recordings, newest first', response: answers({ 200: schemas.recordings }) } },
    async () => ({ recordings: recordings.list(), freeBytes: recordings.freeBytes() }),
  );
  app.post<{ Body: RecordRequest }>(
    '/api/recordings',
    {
      schema: {
        summary: 'start a recording',
        body: schemas.recordRequest,
        response: answers({ 202: schemas.startedJob }),
      },
    },
    async ({ body }, reply) => reply.code(202).send({ job: await jobs.start(body, guests, tops) }),
  );
  app.get<WithId>(
    '/api/recordings/:id',
    { schema: { summary: 'one recording', response: answers({ 200: schemas.recording }) } },
    async ({ params: { id } }) => recordings.get(id),
  );
  app.delete<WithId>(
    '/api/recordings/:id',
    { schema: { summary: 'delete a recording and its files', response: answers({ 204: nothing }) } },
    async ({ params: { id } }, reply) => {
      recordings.delete(id);
      return reply.code(204).send();
    },
  );

  app.get(
    '/api/watches',
    { schema: { summary: 'watches', response: answers({ 200: schemas.watches }) } },
    async () => ({ watches: watches.list() }),
  );
  app.post<{ Body: WatchRequest }>(
    '/api/watches',
    {
      schema: {
        summary: 'start a watch, which goes on when the daemon starts again',
        body: schemas.watchRequest,
        response: answers({ 201: schemas.watch }),
      },
    },
    async ({ body }, reply) => reply.code(201).send(await watches.create(body, guests)),
  );
  app.delete<WithId>(
    '/api/watches/:id',
    { schema: { summary: 'end a watch; what it captured stays', response: answers({ 204: nothing }) } },
    async ({ params: { id } }, reply) => {
      await watches.delete(id);
      return reply.code(204).send();
    },
  );
  app.post<WithId & { readonly Body: { readonly guest: string; readonly text: string } }>(
    '/api/watches/:id/trigger',
    {
      schema: {
        summary: 'capture what a watch has now',
        body: schemas.triggerRequest,
        response: answers({ 202: nothing }),
      },
    },
    async ({ params: { id }, body: { guest, text } }, reply) => {
      await watches.trigger(id, guest, text, guests);
      return reply.code(202).send();
    },
  );
}

function byStart<Job extends { readonly startedAt: string }>(all: readonly Job[]): Job[] {
  return [...all].sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1));
}

/** The token: codes for `trace-host open`, and their exchange. */
export function addLoginRoutes(
  app: FastifyInstance,
  access: Access,
  origin: () => string,
  isTls: boolean,
): void {
  app.post(
    '/api/login-codes',
    {
      schema: { summary: 'a code that logs a browser in, once', response: answers({ 201: schemas.newCode }) },
    },
    async (_request, reply) => {
      const made = access.newCode();
      return reply.code(201).send({ ...made, url: `${origin()}/login#${made.code}` });
    },
  );
  app.post<{ Body: { readonly code: string } }>(
    '/api/login',
    {
      config: { isPublic: true },
      schema: {
        summary: 'exchange a code for the cookie',
        body: schemas.codeRequest,
        response: answers({ 204: nothing }),
        security: [],
      },
    },
    async ({ body: { code } }, reply) => {
      const cookie = access.cookieFor(code, isTls);
      if (cookie === undefined)
        throw new Problem(401, 'the code is not valid, or not any more', 'run trace-host open again');
      return reply.code(204).header('set-cookie', cookie).send();
    },
  );
}
