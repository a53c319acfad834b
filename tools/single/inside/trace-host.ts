/** What the executable trace-host begins with. */
import { traceHost } from '../../../src/cli/host/trace-host.ts';

void traceHost(process.argv.slice(2));
