import type { FastifyInstance } from 'fastify';
import { loadLibraries } from '../load-libraries.ts';
import type { Daemon } from './daemon-state.ts';
import { answers } from './routes.ts';

const states = ['stopped', 'tracing', 'recording', 'gone'] as const;

/** Figures for monitoring, in the OpenMetrics format. @param eventClients their number now */
export async function addMetricsRoute(
  app: FastifyInstance,
  { guests, jobs, recordings }: Daemon,
  eventClients: () => number,
): Promise<void> {
  const { Gauge, Registry } = await loadLibraries();
  const registry = new Registry();
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the only other format that it knows
  (registry as unknown as { setContentType(type: string): void }).setContentType(
    Registry.OPENMETRICS_CONTENT_TYPE,
  );
  const gauge = (
    name: string,
    help: string,
    labelNames: readonly string[] = [],
  ): InstanceType<typeof Gauge> =>
    new Gauge({ name: `trace_host_${name}`, help, labelNames, registers: [registry] });
  const state = gauge('guest_state', 'State of each guest: 1 for the one that it is in', ['guest', 'state']);
  const lost = gauge('guest_lost_bytes', 'Bytes that each guest lost in transit, as its agent says', [
    'guest',
  ]);
  const restarts = gauge('guest_worker_restarts', "Restarts of each guest's workers", ['guest']);
  const plain = {
    recordings: gauge('recordings', 'Recordings that are kept'),
    bytes: gauge('recordings_bytes', 'Size of the files of recordings'),
    lost: gauge('recordings_lost_bytes', 'Bytes that recordings lack'),
    free: gauge('free_bytes', 'Free space for recordings'),
    jobs: gauge('jobs_running', 'Recordings that are being made'),
    clients: gauge('event_clients', 'Clients that follow events'),
    memory: gauge('process_resident_memory_bytes', 'Memory of the daemon'),
    cpu: gauge('process_cpu_seconds', 'CPU time of the daemon'),
  };
  app.get(
    '/metrics',
    {
      schema: {
        summary: 'figures for monitoring, OpenMetrics',
        response: answers({
          200: {
            description: 'metrics',
            content: { 'application/openmetrics-text': { schema: { type: 'string' } } },
          },
        }),
      },
    },
    async (_request, reply) => {
      for (const each of [state, lost, restarts]) each.reset();
      for (const guest of guests.views()) {
        for (const one of states) state.set({ guest: guest.name, state: one }, guest.state === one ? 1 : 0);
        lost.set({ guest: guest.name }, guest.lostBytes);
        restarts.set({ guest: guest.name }, guest.agent?.restarts ?? 0);
      }
      const all = recordings.list();
      plain.recordings.set(all.length);
      plain.bytes.set(all.reduce((sum, { bytes }) => sum + bytes, 0));
      plain.lost.set(all.reduce((sum, { lostBytes }) => sum + lostBytes, 0));
      plain.free.set(recordings.freeBytes());
      plain.jobs.set(jobs.running);
      plain.clients.set(eventClients());
      plain.memory.set(process.memoryUsage.rss());
      const { user, system } = process.cpuUsage();
      plain.cpu.set((user + system) / 1e6);
      return reply.type(registry.contentType).send(await registry.metrics());
    },
  );
}
