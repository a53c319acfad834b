/** What benchmarks need of a machine that is traced; one implementation is this machine, one a QEMU guest. */

export type MachineKind = 'native' | 'guest';

export interface Machine {
  readonly kind: MachineKind;
  readonly cpus: readonly number[];
  /** Name of a tracefs instance of the benchmark's own. */
  readonly instance: string;
  /** That instance's directory. */
  readonly tracefsDir: string;
  /** Directory of the ports, as the machine sees it. */
  readonly portsDir: string;
  /** The command of this checkout's trace-agent, without options. */
  readonly agentCommand: readonly string[];
  /** Starts a program and lets it run; no shell between, so signals reach it alone. */
  spawn(argv: readonly string[]): Promise<Task>;
  /** Runs a script of `sh` to its end and gives its stdout. Throws when it fails. */
  shell(script: string): Promise<string>;
  read(path: string): Promise<string>;
  write(path: string, text: string): Promise<void>;
  /** Path of one of the C programs on the machine, compiled and brought there at its first use. */
  program(name: ProgramName): Promise<string>;
  /** Command of `trace-cmd` there; undefined when this machine has none to bring. */
  traceCmd(): Promise<readonly string[] | undefined>;
  /** The FIFO on this machine out of which a port's bytes come. */
  hostFifo(cpu: number): string;
  /** Writes to the control port, as `echo` and `printf` on the host do. */
  order(text: string): Promise<void>;
  /** Ends everything and leaves nothing behind. */
  close(): Promise<void>;
}

export type ProgramName = 'c-pump' | 'call-loop' | 'markers';

/** A program that runs, or ran, on the machine. */
export interface Task {
  readonly pid: number;
  readonly stdout: string;
  readonly stderr: string;
  kill(signal?: NodeJS.Signals): void;
  /** To its stdin. */
  write(text: string): void;
  /** Waits for its end. Throws, with what it said, when that does not come in time. */
  wait(timeoutMs?: number): Promise<{ readonly code: number }>;
  /** Waits until stdout and stderr together match. */
  waitFor(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
}

/** The stdout of a program that must end with 0. */
export async function finished(task: Task, timeoutMs: number): Promise<string> {
  const { code } = await task.wait(timeoutMs);
  if (code !== 0) throw new Error(`pid ${task.pid}: exit code ${code}\n${task.stdout}${task.stderr}`);
  return task.stdout;
}
