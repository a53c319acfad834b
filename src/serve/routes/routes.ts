import { cpus, hostname } from 'node:os';
import type { FastifyInstance } from 'fastify';
import type { Access } from '../http/token.ts';
import * as schemas from '../http/schemas.ts';
import { Problem } from '../http/problem.ts';
import type { Daemon } from './daemon-state.ts';
import type { RecordRequest } from '../state/views.ts';

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

/** Guests, jobs and recordings. */
export function addRoutes(app: FastifyInstance, { guests, jobs, recordings, tops }: Daemon): void {
  app.get(
    '/api/guests',
    { schema: { summary: 'guests and their state', response: answers({ 200: schemas.guests }) } },
    async () => ({ guests: guests.list(), host: { cpus: cpus().length, hostname: hostname() } }),
  );

  app.get(
    '/api/jobs',
    {
      schema: {
        summary: 'recordings that are being made, or have just ended',
        response: answers({ 200: schemas.jobs }),
      },
    },
    async () => ({ jobs: jobs.list() }),
  );
  app.delete<WithId>(
    '/api/jobs/:id',
    { schema: { summary: 'end a job in order, and wait for it', response: answers({ 200: schemas.job }) } },
    async ({ params: { id } }) => jobs.stop(id),
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
