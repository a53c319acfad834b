import type { ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { Problem } from '../http/problem.ts';
import * as schemas from '../http/schemas.ts';
import { maxEventClients } from '../settings.ts';
import { answers } from './routes.ts';
import type { Daemon } from './daemon-state.ts';

/** A client whose unread events exceed this is closed. */
const maxUnreadBytes = 512 * 1024;
const heartbeatMs = 15_000;

/** Server-sent events: what has changed, and live figures. @returns the number of clients now */
export function addEventRoutes(
  app: FastifyInstance,
  { bus, guests, jobs, recordings, tops }: Daemon,
): () => number {
  const clients = new Set<ServerResponse>();
  const send = (client: ServerResponse, text: string): void => {
    if (client.writableLength > maxUnreadBytes) client.destroy();
    else client.write(text);
  };
  const data = {
    guests: () => ({ guests: guests.views() }),
    jobs: () => ({ jobs: jobs.list() }),
    recordings: () => ({ recordings: recordings.list() }),
  };
  bus.listen((what) => {
    if (clients.size === 0) return;
    const text = event(what, JSON.stringify(data[what]()));
    for (const client of clients) send(client, text);
  });
  const timer = setInterval(() => {
    for (const client of clients) send(client, ':\n\n');
  }, heartbeatMs);
  timer.unref();
  app.addHook('onClose', async () => clearInterval(timer));
  app.addHook('preClose', async () => {
    for (const client of clients) client.destroy();
  });

  app.get<{ Querystring: { readonly now?: string | readonly string[] } }>(
    '/api/events',
    {
      schema: {
        summary: 'changes and live figures, as server-sent events',
        querystring: schemas.eventsQuery,
        response: answers({
          200: { description: 'events', content: { 'text/event-stream': { schema: { type: 'string' } } } },
        }),
      },
    },
    (request, reply) => {
      if (clients.size >= maxEventClients)
        throw new Problem(503, `${maxEventClients} clients follow events already`, 'close some pages');
      const client = reply.raw;
      reply.hijack();
      for (const [name, value] of Object.entries(reply.getHeaders()))
        if (value !== undefined) client.setHeader(name, value);
      client.writeHead(200, { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
      client.write(event('guests', JSON.stringify(data.guests())));
      clients.add(client);
      const { now = [] } = request.query;
      const names = new Set(typeof now === 'string' ? [now] : now);
      const ends = [
        guests.look(),
        ...[...names].map((name) => tops.look(name, (frame) => send(client, event('frame', frame)))),
      ];
      client.once('close', () => {
        clients.delete(client);
        for (const end of ends) end();
      });
    },
  );
  return () => clients.size;
}

/** JSON has no line breaks, so one data line is enough. */
function event(name: string, json: string): string {
  return `event: ${name}\ndata: ${json}\n\n`;
}
