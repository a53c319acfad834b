import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exitCode, Failure } from '../../src/base/failure.ts';
import { printable } from '../../src/base/quoted.ts';
import { guestPath } from '../../src/trace/session.ts';
import { locateTracefs } from '../../src/tracefs/locate.ts';
import { explained, findCrossing, shownLines } from './crossing.ts';

const traceHost = fileURLToPath(new URL('../../bin/trace-host.js', import.meta.url));
const reportLines = 8;
const summaryLines = 16;
/** Of the host only what says when a thread runs; everything else would stand between the guest's events. */
const hostEvents = ['-e', 'sched:sched_switch', '-e', 'sched:sched_waking'];
const guestEvents = ['-e', 'sched', '-e', 'irq'];

/** Why this host cannot be traced; undefined if it can. */
export function whyNoHost(): string | undefined {
  try {
    accessSync(join(locateTracefs(), 'instances'), constants.W_OK);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The files of a recording of host and guest. */
export class DemoRecording {
  readonly withHost: boolean;
  readonly #guest: string;
  readonly #hostFile: string;

  /** @param guest the directory of the guest's ports; @param out the host's file */
  constructor(guest: { readonly dir: string; readonly name: string }, out: string, withHost: boolean) {
    this.#guest = guest.name;
    this.#hostFile = out;
    this.withHost = withHost;
    this.words = [
      ...(withHost ? hostEvents : []),
      '-A',
      guest.name,
      ...guestEvents,
      '--duration',
      '3s',
      '--dir',
      guest.dir,
      '-o',
      out,
      '--timeout',
      '60s',
    ];
  }

  /** Arguments of `trace-host record`. */
  readonly words: readonly string[];

  get guestFile(): string {
    return guestPath(this.#hostFile, this.#guest);
  }

  get perfettoFile(): string {
    return this.#hostFile.replace(/\.dat$/, '.pftrace');
  }

  /** The host's file, if it was traced, and the guest's. */
  get files(): readonly string[] {
    return this.withHost ? [this.#hostFile, this.guestFile] : [this.guestFile];
  }

  /**
   * Records for three seconds; the output goes to the terminal. Throws Failure.
   * @returns how exact the guest's times are, as record says it; undefined without the host
   */
  async record(): Promise<ClockBound | undefined> {
    const child = spawn(process.execPath, [traceHost, 'record', ...this.words], {
      stdio: ['inherit', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      process.stdout.write(text);
    });
    const [code] = await once(child, 'close');
    if (code !== 0) throw new Failure(exitCode.failed, `trace-host record exited with code ${String(code)}`);
    const [, text = '', number, unit = ''] = /usually within (([\d.]+) (ns|us|ms|s)),/.exec(said) ?? [];
    return number === undefined
      ? undefined
      : { text, isFine: Number(number) * (unitNs[unit] ?? 0) <= fineNs };
  }

  /** What trace-host makes of it: text, figures, and a file for the Perfetto UI. Throws Failure. */
  shown(): Shown[] {
    const perfetto = ['--to', 'perfetto', '-o', this.perfettoFile];
    return [
      head(['report', this.guestFile], reportLines),
      head(['summary', this.guestFile, '--top', '3'], summaryLines),
      head(['export', ...this.files, ...perfetto], Number.POSITIVE_INFINITY),
    ];
  }

  /** The lines of host and guest around a wakeup that crosses from one to the other, and a sentence about them. */
  async crossing({ text: bound }: ClockBound): Promise<Shown | undefined> {
    const crossing = this.withHost ? await findCrossing(this.#hostFile) : undefined;
    if (crossing === undefined) return undefined;
    const inputs = this.files.flatMap((file) => ['-i', file]);
    const range = ['--from', seconds(crossing.from), '--to', seconds(crossing.to)];
    const { command, text } = head(['report', '-t', ...inputs, ...range], Number.POSITIVE_INFINITY);
    return {
      command: `${command}  (here with host and guest instead of the files' names)`,
      text: `${this.#withMachines(text)}\n${explained(crossing)}\nThe times of the guest are usually within ${bound} of those of the host.\n`,
    };
  }

  /** The longest wait of a task of the guest, and who caused it. */
  whyWaited(task: string): Shown {
    const words = ['explain', ...this.files, '--task', task, '--worst', '1'];
    return head(words, Number.POSITIVE_INFINITY);
  }

  /** The events of a report, which begin with the names of their files. */
  #withMachines(report: string): string {
    const name = `${basename(this.guestFile)}: `;
    const lines = report.split('\n').filter((line) => / \[\d+\] /.test(line));
    const named = lines
      .slice(0, shownLines)
      .map((line) => `${line.startsWith(name) ? 'guest' : ' host'}${line.slice(name.length - 2)}`);
    return `${named.join('\n')}\n`;
  }
}

const unitNs: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };
/** With a larger error, the order of events of host and guest says too little about causes. */
const fineNs = 2_000_000;

/** How far the times of a guest may be wrong for half of the time. */
export interface ClockBound {
  readonly text: string;
  /** Whether that is little enough to tell what the host did before the guest. */
  readonly isFine: boolean;
}

/** A command line, and what it printed. */
export interface Shown {
  readonly command: string;
  readonly text: string;
}

/** As `--from` takes it. */
function seconds(ns: bigint): string {
  const digits = String(ns).padStart(10, '0');
  return `${digits.slice(0, -9)}.${digits.slice(-9)}`;
}

/** Runs trace-host, as in a pipe to `head`. Control characters of the guest are replaced, as on a terminal. */
function head(words: readonly string[], most: number): Shown {
  const { status, stdout, stderr } = spawnSync(process.execPath, [traceHost, ...words], {
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  });
  if (status !== 0) throw new Failure(exitCode.failed, `trace-host ${words[0]}: ${stderr.trim()}`);
  const lines = stdout.trimEnd().split('\n').map(printable);
  const isCut = lines.length > most;
  return {
    command: `trace-host ${words.join(' ')}${isCut ? ` | head -n ${most}` : ''}`,
    text: `${lines.slice(0, most).join('\n')}\n`,
  };
}
