import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { tool } from '../../guest/harness/tool.ts';
import { repoRoot } from '../../repo-root.ts';
import { toolSkip } from './skip.ts';
import type { Picture } from './x-display.ts';

const include = '/usr/include/kernelshark';
const plugin = '/usr/lib/x86_64-linux-gnu/kernelshark/plugins/plugin-kvm_combo.so';

/** The reason why tests of KernelShark cannot run; false when they can. With CI=true they must. */
export function kernelSharkSkip(): string | false {
  const missing = [include, plugin].find((path) => !existsSync(path));
  if (missing !== undefined && process.env['CI'] === 'true') throw new Error(`${missing} is missing`);
  if (missing !== undefined) return `${missing} is missing`;
  return toolSkip('kernelshark') || toolSkip('Xvfb') || toolSkip('gcc');
}

/** An event as KernelShark lists it. */
export interface SharkEvent {
  /** Index of the file. */
  readonly stream: number;
  readonly ns: bigint;
  readonly cpu: number;
  readonly pid: number;
  /** `system/event`. */
  readonly name: string;
}

/** What KernelShark's library makes of files that are opened together. */
export interface SharkSession {
  /** Indices of the files that the plugin kvm_combo accepted. */
  readonly combos: readonly number[];
  /** `vcpuTids`: the host's thread of each vCPU, -1 if unknown. */
  readonly guests: readonly { stream: number; host: number; name: string; vcpuTids: readonly number[] }[];
  readonly events: readonly SharkEvent[];
}

/** Opens the files with KernelShark's library, the host's first. Blocks. @param dir for the program that does it */
export function readWithKernelShark(dir: string, files: readonly string[]): SharkSession {
  const source = join(repoRoot, 'test/local/programs/kernelshark-read.c');
  const program = join(dir, 'kernelshark-read');
  tool('gcc', ['-O2', '-Wall', '-Wextra', '-isystem', include, '-o', program, source, '-lkshark']);
  const { status, signal, stdout, stderr } = spawnSync(program, [plugin, ...files], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`kernelshark-read: ${signal ?? status}: ${stderr}`);
  const rows = stdout.split('\n').map((line) => line.split('\t'));
  const of = (kind: string): string[][] => rows.filter(([word]) => word === kind).map(([, ...row]) => row);
  return {
    combos: of('plugin')
      .filter(([, name, draws]) => name === 'kvm_combo' && draws === '1')
      .map(([stream]) => Number(stream)),
    guests: of('guest').map(([stream, host, name, ...tids]) => ({
      stream: Number(stream),
      host: Number(host),
      name: name!,
      vcpuTids: tids.map(Number),
    })),
    events: of('event').map(([stream, ns, cpu, pid, name]) => ({
      stream: Number(stream),
      ns: BigInt(ns!),
      cpu: Number(cpu),
      pid: Number(pid),
      name: name!,
    })),
  };
}

/** KSHARK_CPU_DRAW | KSHARK_GUEST_DRAW, and KSHARK_TASK_DRAW | KSHARK_HOST_DRAW, of libkshark-plugin.h. */
const [guestDraw, hostDraw] = [2 | 8, 1 | 4];

/**
 * A session as KernelShark saves it, with what its menu "KVM Combo plots" adds for all vCPUs: above the thread of each,
 * what the guest did on it. No other graphs. @param span times to show, in nanoseconds
 */
export function comboSession(
  files: readonly string[],
  { guests }: Pick<SharkSession, 'guests'>,
  span: readonly [number, number],
): object {
  return {
    type: 'kshark.config.session',
    MainWindow: [1300, 860],
    Splitter: [300, 300],
    Model: { type: 'kshark.config.model', range: span, bins: 1000 },
    'data streams': files.map((file, stream) => ({
      type: 'kshark.config.stream',
      'stream id': stream,
      data: {
        type: 'kshark.config.data',
        file,
        name: 'top buffer',
        time: Math.floor(statSync(file).mtimeMs / 1000),
      },
      filters: { type: 'kshark.config.filter', 'filter mask': 7 },
      plugins: {
        type: 'kshark.config.plugins',
        registered: ['kvm_combo', 'missed_events', 'sched_events'].map((name) => [name, true]),
      },
      'calib. array': [0],
      CPUPlots: [],
      TaskPlots: [],
    })),
    ComboPlots: guests.flatMap(({ stream, host, vcpuTids }) =>
      vcpuTids.map((tid, vcpu) => [
        [stream, guestDraw, vcpu],
        [host, hostDraw, tid],
      ]),
    ),
    Markers: {
      type: 'kshark.config.markers',
      markA: { isSet: false },
      markB: { isSet: false },
      Active: 'A',
    },
    ViewTop: 0,
    ColorScheme: 0.75,
    'User Plugins': { type: 'kshark.config.plugins', 'obj. files': [] },
  };
}

/** The label of a graph in KernelShark's window; each stream has its own color. */
export interface GraphLabel {
  readonly color: number;
  readonly top: number;
  readonly bottom: number;
}

/** Left of the texts in the labels. */
const labelX = 27;
/** A line of the list below has 20. */
const leastLabelHeight = 24;
const white = 0xff_ff_ff;

/** The labels of all graphs of which more than the edge is visible, from top to bottom. */
export function graphLabels(picture: Picture): GraphLabel[] {
  const labels: GraphLabel[] = [];
  let top = 0;
  for (let y = 1; y <= picture.height; y++) {
    const color = picture.at(labelX, top);
    if (y < picture.height && picture.at(labelX, y) === color) continue;
    const isGrey = color >> 16 === (color & 0xff);
    if (!isGrey && y - top >= leastLabelHeight) labels.push({ color, top, bottom: y });
    top = y;
  }
  return labels;
}

const black = 0;

/** What a vCPU's two graphs show, by column. */
export interface ComboColumn {
  /** Whether the guest has an event. */
  readonly event: boolean;
  /** Whether the host's thread is between kvm_entry and kvm_exit. */
  readonly inGuest: boolean;
}

/** The columns of a vCPU's graphs: that of the guest, and below it that of the host's thread on a black line. */
export function comboColumns(picture: Picture, guest: GraphLabel, host: GraphLabel): ComboColumn[] {
  const columns: ComboColumn[] = [];
  // events are lines that are higher than the graph of the tasks, which begins in the middle
  const eventsY = Math.floor((guest.top + guest.bottom) / 2);
  for (let x = 0; x < picture.width; x++)
    if (picture.at(x, host.bottom) === black)
      columns.push({ event: picture.at(x, eventsY) !== white, inGuest: picture.at(x, host.top) !== white });
  return columns;
}
