import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../../../src/base/error-code.ts';

const retryMs = 10;

/**
 * Connects to a UNIX socket as soon as a process listens on it, which is a moment after its file appears.
 * @param isOver called before each attempt; true ends the wait with an error
 */
export async function connectToListener(path: string, isOver: () => boolean): Promise<Socket> {
  for (;;) {
    if (isOver()) throw new Error(`nobody listens on ${path}`);
    const socket = connect(path);
    try {
      await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
      return socket;
    } catch (cause) {
      if (!['ENOENT', 'ECONNREFUSED'].includes(codeOf(cause))) throw cause;
    }
    await sleep(retryMs);
  }
}
