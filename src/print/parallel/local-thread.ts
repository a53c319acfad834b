import { MessageChannel } from 'node:worker_threads';
import type { ThreadSetup } from './messages.ts';
import { servePrinting } from './serve-printing.ts';
import type { ThreadPort } from './threads.ts';

/** Does the work of a printing thread in the calling thread, so that no thread has to be started. */
export function localThread(setup: ThreadSetup): ThreadPort {
  const { port1, port2 } = new MessageChannel();
  servePrinting(port2, setup);
  return {
    postMessage: (message) => port1.postMessage(message, []),
    // oxlint-disable-next-line typescript/no-explicit-any -- as in its type
    on: (event: string, listener: (value: any) => void) => port1.on(event, listener),
    terminate: async () => {
      port1.close();
      port2.close();
    },
  };
}
