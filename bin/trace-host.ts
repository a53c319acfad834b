#!/usr/bin/env node
import { traceHost } from '../src/cli/trace-host.ts';

await traceHost(process.argv.slice(2));
