import { closeSync } from 'node:fs';
import { receiveDescriptors } from '../native/ipc/lending.ts';
import { type Assignment, type Lent, lendingFd, lentFromList, type Outlet } from '../protocol/ipc.ts';

export interface Borrowed {
  readonly assignment: Assignment;
  readonly lent: Lent;
}

/**
 * Receives the worker's assignment from the socket, then closes the socket: a worker gets exactly one assignment.
 * @returns undefined when there is no assignment
 * @throws Error when this kind of outlet needs another number of descriptors; NativeError
 */
export function borrow(outlet: Outlet, socket = lendingFd): Borrowed | undefined {
  const received = receiveDescriptors(socket);
  closeSync(socket);
  if (received === undefined) return undefined;
  const lent = lentFromList(received.fds, outlet);
  if (lent === undefined) throw new Error(`${received.fds.length} descriptors for an outlet ${outlet}`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own supervisor wrote it
  return { assignment: JSON.parse(received.text) as Assignment, lent };
}
