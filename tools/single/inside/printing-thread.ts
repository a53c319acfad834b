/** Entry point of a printing thread of the single-file executable trace-host. */
import '../../../src/print/parallel/thread.ts';
