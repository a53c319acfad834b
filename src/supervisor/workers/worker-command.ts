import { fileURLToPath } from 'node:url';

/** How a worker is started; the single executable has its own, tools/single/inside/worker-command.ts. */
export interface WorkerCommand {
  readonly file: string;
  /** Of the program itself and of the worker script; the workers' set-up comes behind them. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Inherited behind `lendingFd` of protocol/ipc.ts. */
  readonly lent: readonly number[];
}

/**
 * A worker runs a few lines of script some hundred times a second. Compiling them, and the memory and threads to
 * compile with, cost more than they ever bring back; in an emulated guest, where fresh machine code has to be
 * translated again, far more. (WebAssembly is only named to keep V8 from warning that it goes with the compiler.)
 */
const flags = ['--jitless', '--no-expose-wasm', '--v8-pool-size=0'];

/** The build makes one script of the worker's modules: loading them one by one takes half as long again. */
const script = fileURLToPath(new URL('../../worker/main.cjs', import.meta.url));

export function workerCommand(): WorkerCommand {
  return { file: process.execPath, args: [...flags, script], env: {}, lent: [] };
}
