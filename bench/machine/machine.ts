/** A traced machine, as benchmarks need it: this machine or a QEMU guest. */

export type MachineKind = 'native' | 'guest';

export interface Machine {
  readonly kind: MachineKind;
  readonly cpus: readonly number[];
  /** Name of the benchmark's own tracefs instance. */
  readonly instance: string;
  /** Directory of that instance. */
  readonly tracefsDir: string;
  /** Directory of the ports, as a path on the machine. */
  readonly portsDir: string;
  /** The command of this checkout's trace-agent, without options. */
  readonly agentCommand: readonly string[];
  /** Starts a program without a shell, so that signals reach only it. Does not wait for its end. */
  spawn(argv: readonly string[]): Promise<Task>;
  /** Runs an `sh` script to its end and returns its stdout. Throws if it fails. */
  shell(script: string): Promise<string>;
  read(path: string): Promise<string>;
  write(path: string, text: string): Promise<void>;
  /** Path of a C program on the machine; compiled and copied there on first use. */
  program(name: ProgramName): Promise<string>;
  /** Command that runs trace-cmd on the machine; undefined if it is not installed on the host. */
  traceCmd(): Promise<readonly string[] | undefined>;
  /** The FIFO on the host that delivers the bytes of a port. */
  hostFifo(cpu: number): string;
  /** Writes to the control port, as `echo` and `printf` on the host do. */
  order(text: string): Promise<void>;
  /** Ends all programs and removes everything that was created. */
  close(): Promise<void>;
}

export type ProgramName = 'c-pump' | 'call-loop' | 'markers';

/** A program on the machine, running or ended. */
export interface Task {
  readonly pid: number;
  readonly stdout: string;
  readonly stderr: string;
  kill(signal?: NodeJS.Signals): void;
  /** Writes to its stdin. */
  write(text: string): void;
  /** Waits for its end. On a timeout throws an error with its output. */
  wait(timeoutMs?: number): Promise<{ readonly code: number }>;
  /** Waits until stdout and stderr together match. */
  waitFor(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
}

/** Waits for the end of a program and returns its stdout. Throws if the exit code is not 0. */
export async function finished(task: Task, timeoutMs: number): Promise<string> {
  const { code } = await task.wait(timeoutMs);
  if (code !== 0) throw new Error(`pid ${task.pid}: exit code ${code}\n${task.stdout}${task.stderr}`);
  return task.stdout;
}
