import type { FastifyInstance } from 'fastify';
import { pageFiles } from '../http/page-files.ts';
import { Problem } from '../http/problem.ts';
import * as schemas from '../http/schemas.ts';
import { answers } from './routes.ts';
import type { PageFile } from '../http/page-files.ts';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** The page and the OpenAPI document. */
export function addPageRoutes(app: FastifyInstance): void {
  const files = pageFiles();
  const open = { config: { isPublic: true }, schema: { hide: true } } as const;
  const send = (request: FastifyRequest, reply: FastifyReply, file: PageFile | undefined): FastifyReply => {
    if (file === undefined) throw new Problem(404, 'there is no such file');
    reply.header('cache-control', 'no-cache').header('etag', file.etag);
    if (request.headers['if-none-match'] === file.etag) return reply.code(304).send();
    return reply.type(file.type).send(file.body);
  };
  app.get('/', open, async (request, reply) => send(request, reply, files.get('index.html')));
  app.get('/login', open, async (request, reply) => send(request, reply, files.get('login.html')));
  app.get<{ Params: { readonly '*': string } }>('/assets/*', open, async (request, reply) =>
    send(request, reply, files.get(`assets/${request.params['*']}`)),
  );
  app.get(
    '/api/openapi.json',
    { schema: { summary: 'this document', response: answers({ 200: schemas.anyObject }) } },
    async () => app.swagger(),
  );
}
