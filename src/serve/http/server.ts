import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import { X509Certificate } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { codeOf } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { printable } from '../../base/quoted.ts';
import { version } from '../../base/version.ts';
import { loadLibraries } from '../load-libraries.ts';
import { maxBodyBytes, maxConnections, type ServeOptions, type TlsFiles } from '../settings.ts';
import { isOwnHost, isSameSite, ownNames } from './names.ts';
import { Problem, problemOf } from './problem.ts';
import { type Access, bearerOf } from './token.ts';

const headersTimeoutMs = 10_000;
const requestTimeoutMs = 30_000;
const keepAliveMs = 10_000;
const checkingMs = 5000;

/** On every answer. The page may open another origin in a window, for the Perfetto UI, so popups keep their opener. */
const headers = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
    "font-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin-allow-popups',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
} as const;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the route needs no token. */
    readonly isPublic?: true;
  }
}

export interface HttpServers {
  readonly app: FastifyInstance;
  readonly tcp: Server | TlsServer;
  /** A name of the certificate; undefined without one. */
  readonly name: string | undefined;
  /** On the UNIX socket: whoever may connect to it needs no token. */
  readonly unix: Server;
}

/**
 * Makes the servers, without routes, that do not listen yet. Refuses what is not addressed to them, what another site
 * caused, and what does not know the token. @throws Failure for a bad certificate
 */
export async function makeServers(
  { listen, tls }: Pick<ServeOptions, 'listen' | 'tls'>,
  access: Access,
  log: Logger,
): Promise<HttpServers> {
  const { fastify, swagger } = await loadLibraries();
  const secure = tls === undefined ? undefined : readTls(tls);
  const names = ownNames(listen.address, secure?.names);
  const limits = {
    headersTimeout: headersTimeoutMs,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveMs,
    connectionsCheckingInterval: checkingMs,
    maxHeaderSize: 16 * 1024,
  };
  let unix: Server | undefined;
  let tcp: Server | TlsServer | undefined;
  const app = fastify({
    // the servers answer with one handler; fastify itself never listens
    serverFactory: (handler) => {
      const listener: RequestListener = handler;
      unix = createServer(limits, listener);
      const server =
        secure === undefined
          ? createServer(limits, listener)
          : createTlsServer({ ...limits, ...secure.pems }, listener);
      tcp = server;
      return server;
    },
    // a URL that cannot be decoded, or is too long: no route, so no hook runs
    frameworkErrors: (cause, _request, reply) => {
      const { body } = new Problem(404, 'there is no such resource', '', { cause });
      reply.hijack();
      reply.raw.writeHead(body.status, { ...headers, 'content-type': 'application/problem+json' });
      reply.raw.end(JSON.stringify(body));
    },
    bodyLimit: maxBodyBytes,
    routerOptions: { maxParamLength: 128 },
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    ajv: { customOptions: { coerceTypes: 'array', removeAdditional: false, allErrors: false } },
  });
  if (tcp === undefined || unix === undefined) throw new Error('fastify made no server');
  for (const server of [tcp, unix]) server.maxConnections = maxConnections;
  // answers are made of plain objects; a serializer for each schema would drop what it does not know
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.removeContentTypeParser('text/plain');
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'trace-host serve',
        version,
        description: 'Guests and recordings of this host.',
      },
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer' },
          cookie: { type: 'apiKey', in: 'cookie', name: 'trace-host-token' },
        },
      },
      security: [{ bearer: [] }, { cookie: [] }],
    },
  });
  const unixServer = unix;
  const isUnix = ({ raw }: FastifyRequest): boolean => serverOf(raw.socket) === unixServer;
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(headers);
    if (isUnix(request)) return;
    const { authorization, cookie, host, origin } = request.headers;
    if (!isOwnHost(host, names))
      throw new Problem(421, 'the Host header does not name this daemon', `use ${[...names].join(', ')}`);
    const config = request.routeOptions.config;
    const fetchSite = request.headers['sec-fetch-site'];
    // a link from elsewhere may open the page, which has no data in it
    const isPage = config.isPublic === true && request.method === 'GET';
    const asked = {
      method: request.method,
      host,
      origin,
      fetchSite: typeof fetchSite === 'string' ? fetchSite : undefined,
      hasBearer: bearerOf(authorization) !== undefined,
      isTls: secure !== undefined,
    };
    if (!isPage && !isSameSite(asked))
      throw new Problem(
        403,
        'another site caused this request',
        'send it from the page, or with a bearer token',
      );
    if (config.isPublic !== true && !access.knows(authorization, cookie))
      throw new Problem(401, 'no token, or a wrong one', 'open the page with: trace-host open');
  });
  app.addHook('onResponse', async (request, reply) => {
    // the route, not the URL: that may contain anything
    const { url = '(none)' } = request.routeOptions;
    log.debug({ method: request.method, route: url, status: reply.statusCode }, 'request');
  });
  app.setNotFoundHandler(async () => {
    throw new Problem(404, 'there is no such resource', 'GET /api/openapi.json lists them');
  });
  app.setErrorHandler(async (cause, request, reply) => {
    const problem = problemOf(cause);
    if (problem === undefined)
      log.error(
        { route: request.routeOptions.url, why: cause instanceof Error ? cause.stack : cause },
        'bug',
      );
    const { body } = problem ?? new Problem(500, 'an error of the daemon; its log has more');
    if (body.status === 401) reply.header('www-authenticate', 'Bearer');
    return reply.code(body.status).type('application/problem+json').send(body);
  });
  const name = /DNS:([\w.-]+)/.exec(secure?.names ?? '')?.[1];
  return { app, tcp, unix, name };
}

/** Node does not declare `server`, which its http sockets have. */
function serverOf(socket: object): unknown {
  return 'server' in socket ? socket.server : undefined;
}

function readTls({ cert, key }: TlsFiles): {
  readonly pems: { readonly cert: Buffer; readonly key: Buffer };
  readonly names: string | undefined;
} {
  const pems = { cert: readPem(cert, '--tls-cert'), key: readPem(key, '--tls-key') };
  try {
    const certificate = new X509Certificate(pems.cert);
    createTlsServer(pems).close();
    return { pems, names: certificate.subjectAltName };
  } catch (cause) {
    throw new Failure(
      exitCode.usage,
      `${printable(cert)} and ${printable(key)} are no certificate and its key: ${codeOf(cause)}`,
      'give PEM files with --tls-cert and --tls-key',
      { cause },
    );
  }
}

function readPem(path: string, option: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const message = `${option}: cannot read ${printable(path)}: ${codeOf(cause)}`;
    throw new Failure(exitCode.missing, message, 'give a PEM file that this user can read', { cause });
  }
}
