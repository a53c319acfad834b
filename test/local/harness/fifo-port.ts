import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, statSync, writeSync } from 'node:fs';

/**
 * A FIFO in place of a trace port. As in QEMU it stays open whatever guest and host do, so that its content
 * survives the end of an agent; and as for a port, nobody reads it until `read`.
 */
export class FifoPort {
  readonly path: string;
  readonly #file: string;
  #fd: number;
  #reader: ChildProcess | undefined;

  constructor(path: string) {
    this.path = path;
    this.#file = `${path}.received`;
    execFileSync('mkfifo', [path]);
    this.#fd = openSync(path, constants.O_RDWR);
    closeSync(openSync(this.#file, 'a'));
  }

  /** Starts to read into a file, like `cat PORT > FILE`. */
  read(): void {
    const out = openSync(this.#file, 'a');
    this.#reader = spawn('cat', [], { stdio: [this.#fd, out, 'inherit'] });
    closeSync(out);
  }

  get receivedBytes(): number {
    return statSync(this.#file).size;
  }

  received(): Uint8Array {
    return readFileSync(this.#file);
  }

  close(): void {
    this.#reader?.kill();
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }
}

/** Does `echo TEXT > FIFO`, or printf without the newline. Throws ENXIO instead of waiting when nobody has it open. */
export function echo(fifo: string, text: string): void {
  const fd = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
  try {
    writeSync(fd, text);
  } finally {
    closeSync(fd);
  }
}
