import { type ExitCode, exitCode } from '../../base/failure.ts';
import { ControlClient } from '../../host/control/client.ts';
import { GuestDir } from '../../host/guest-dir/guest-dir.ts';
import { readMetadataArchive } from '../../trace/metadata/archive.ts';
import { parseMetadata } from '../../trace/metadata/guest-metadata.ts';
import { writeReplacing } from '../../trace/file/write-replacing.ts';
import { json, printable } from '../../base/quoted.ts';
import { noSymbolsText } from '../report/convert-report.ts';
import type { OrderOptions } from './options/host-options.ts';
import { humanBytes } from '../report/human.ts';
import { LiveText } from '../report/live-text.ts';
import { Waiting } from '../report/waiting.ts';

/** Fetches a guest's metadata archive and saves it unchanged, after checking that it is valid. Throws Failure. */
export async function runMetadata(
  { location, timeoutMs, json: asJson }: OrderOptions,
  out: string,
): Promise<ExitCode> {
  const guest = GuestDir.open(location);
  try {
    const packed = await fetch(guest, timeoutMs);
    const { catalogue, uname, symbols } = parseMetadata(await readMetadataArchive([packed]));
    const { bytes } = await writeReplacing(out, (file) => file.writeFile(packed));
    process.stdout.write(
      asJson
        ? `${json({ guest: guest.guest ?? null, file: out, bytes, eventFormats: catalogue.size, uname, symbols })}\n`
        : `${printable(out)}: ${guest.label}, ${humanBytes(bytes)}, ${catalogue.size} event formats\n`,
    );
    if (symbols === 'hidden')
      process.stderr.write(`trace-host: ${printable(out)}: ${noSymbolsText(symbols)}\n`);
    return exitCode.done;
  } finally {
    guest.close();
  }
}

async function fetch(guest: GuestDir, timeoutMs: number): Promise<Buffer> {
  const client = await ControlClient.open(guest, { timeoutMs });
  const waiting = new Waiting(new LiveText(process.stderr), () => {
    const { arriving } = client;
    const how =
      arriving === undefined
        ? ''
        : `, ${humanBytes(arriving.doneBytes)} of ${humanBytes(arriving.totalBytes)}`;
    return `${guest.label}: fetching its metadata${how}`;
  });
  try {
    return await client.metadata();
  } finally {
    waiting.stop();
    client.close();
  }
}
