#!/usr/bin/env node
import { traceHost } from '../src/cli/host/trace-host.ts';

await traceHost(process.argv.slice(2));
