import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { Collector } from '../harness/index.ts';

const pageBytes = 4096;

/**
 * Reads one trace port's UNIX socket into a file, as its client; closing it disconnects, and QEMU drops its queued
 * data. A page of which only a part has arrived by then is skipped.
 */
export class SocketCollector extends Collector {
  #socket: Socket | undefined;

  override async open(): Promise<this> {
    if (this.#socket !== undefined) return this;
    const socket = connect(this.fifo);
    await once(socket, 'connect');
    const file = openSync(this.file, 'a');
    let fileBytes = this.bytes;
    socket.on('data', (bytes) => {
      fileBytes += writeSync(file, bytes);
    });
    socket.on('error', () => undefined); // QEMU's end is the guest's
    socket.on('close', () => {
      ftruncateSync(file, fileBytes - (fileBytes % pageBytes));
      closeSync(file);
    });
    this.#socket = socket;
    return this;
  }

  override pause(): void {
    this.#socket?.pause();
  }

  override resume(): void {
    this.#socket?.resume();
  }

  override async close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined || socket.closed) return;
    const closed = once(socket, 'close');
    socket.destroy();
    await closed;
  }
}
