/** Entry point of the single-file executable trace-host. */
import { traceHost } from '../../../src/cli/host/trace-host.ts';

void traceHost(process.argv.slice(2));
