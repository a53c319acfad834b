/**
 * The packages that only the daemon needs. The build bundles them into libraries.mjs, so that they are no dependencies
 * of the package, and no other command loads them.
 */
export { default as fastify } from 'fastify';
export { default as swagger } from '@fastify/swagger';
export { Gauge, Registry } from 'prom-client';
