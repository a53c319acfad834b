#!/usr/bin/env node
import { traceAgent } from '../src/cli/agent/trace-agent.ts';

await traceAgent(process.argv.slice(2));
