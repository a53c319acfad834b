import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { type ExitCode, exitCode, Failure } from '../failure.ts';
import { convert, convertRecording, type ConvertReport } from '../host/convert.ts';
import { readMetadataFile } from '../host/metadata/guest-metadata.ts';
import { json, printable, quoted } from '../quoted.ts';
import type { ConvertCommand } from './host-convert-options.ts';
import { countsOf } from './host-record.ts';
import { humanBytes } from './human.ts';

/** Makes a trace.dat and says what is in it. Throws Failure. */
export async function runConvert(command: ConvertCommand): Promise<ExitCode> {
  const report = await converted(command);
  process.stdout.write(command.json ? `${json(countsOf(report))}\n` : textOf(report));
  for (const [reason, pages] of report.leftOut)
    process.stderr.write(`trace-host: ${printable(report.out)}: ${pages} bad pages left out: ${reason}\n`);
  return report.leftOut.size > 0 ? exitCode.lost : exitCode.done;
}

async function converted({ inputs, metadata, settings }: ConvertCommand): Promise<ConvertReport> {
  const [first = ''] = inputs;
  const found = await stat(first).catch(() => undefined);
  if (found?.isDirectory() !== true) return convertFiles(inputs, metadata, settings);
  if (inputs.length > 1) {
    throw new Failure(exitCode.usage, 'a recording is converted alone', `give ${first} and nothing else`);
  }
  if (metadata !== undefined) {
    throw new Failure(
      exitCode.usage,
      '--metadata goes with raw files',
      `a recording has its own; leave it out`,
    );
  }
  return convertRecording(first, settings);
}

async function convertFiles(
  paths: readonly string[],
  metadata: string | undefined,
  settings: ConvertCommand['settings'],
): Promise<ConvertReport> {
  if (metadata === undefined) {
    throw new Failure(
      exitCode.usage,
      'raw files cannot be read without the metadata of their guest',
      'add --metadata FILE; a running agent gives it at the order metadata (docs/protocol.md)',
    );
  }
  const cpus = new Map<number, string>();
  for (const path of paths) {
    const cpu = cpuOf(path);
    if (cpus.has(cpu))
      throw new Failure(exitCode.usage, `two files are of CPU ${cpu}: ${cpus.get(cpu)} and ${path}`);
    cpus.set(cpu, path);
  }
  return convert({ ...settings, cpus, metadata: await readMetadataFile(metadata) });
}

/** The last number in a file's name: cpu0.raw, trace-path-cpu12.out. */
function cpuOf(path: string): number {
  const found = /(\d+)\D*$/.exec(basename(path));
  if (found?.[1] !== undefined) return Number(found[1]);
  throw new Failure(
    exitCode.usage,
    `which CPU is ${quoted(path)} of?`,
    'name raw files by CPU: cpu0.raw, cpu1.raw',
  );
}

function textOf(report: ConvertReport): string {
  const lines = [
    `${printable(report.out)}: ${report.cpus.length} CPUs, ${report.events} events in ${report.pages} pages, ${humanBytes(report.fileBytes)}`,
  ];
  if (report.lost > 0n) lines.push(`  ${report.lost} events were lost before they could be read`);
  return `${lines.join('\n')}\n`;
}
