import { fileURLToPath } from 'node:url';

/** The command that starts a worker; the single executable has its own, tools/single/inside/worker-command.ts. */
export interface WorkerCommand {
  readonly file: string;
  /** Arguments for Node and the worker script; the worker's set-up follows them. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Descriptors that are inherited after `lendingFd` of protocol/ipc.ts. */
  readonly lent: readonly number[];
}

/**
 * Flags that make Node interpret scripts instead of compiling them. A worker runs a few lines of script a few hundred
 * times a second: compiling them, with the memory and threads that this takes, costs more than it saves, above all in
 * an emulated guest, which has to translate the new machine code once more. (The WebAssembly flag only avoids V8's
 * warning that it is disabled together with the compiler.)
 */
const flags = ['--jitless', '--no-expose-wasm', '--v8-pool-size=0'];

/** The build bundles the worker's modules into one script: loading them one by one takes 1.5 times as long. */
const script = fileURLToPath(new URL('../../worker/main.cjs', import.meta.url));

export function workerCommand(): WorkerCommand {
  return { file: process.execPath, args: [...flags, script], env: {}, lent: [] };
}
