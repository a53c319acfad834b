import { exitCode, Failure } from '../../../base/failure.ts';
import type { ConvertSettings } from '../../../trace/convert/convert.ts';
import type { Given } from './given.ts';
import { hostSettings } from './host-settings.ts';

export interface ConvertCommand {
  readonly inputs: readonly string[];
  /** Path of the metadata archive; only with raw files and framed streams. */
  readonly metadata: string | undefined;
  readonly settings: ConvertSettings;
  readonly json: boolean;
}

/** Version and compression of the trace.dat. Throws Failure for impossible combinations. */
export function readForm(given: Given): Required<Pick<ConvertSettings, 'version' | 'compress'>> {
  const v6 = given.flag('v6') || given.get(hostSettings.fileVersion) === '6';
  if (given.flag('v6') && given.get(hostSettings.fileVersion) === '7')
    throw new Failure(exitCode.usage, '--v6 conflicts with --file-version 7', 'use one of them');
  const named = given.get(hostSettings.compress);
  const compress = given.get(hostSettings.compression) ?? named ?? 'none';
  if (named !== undefined && named !== compress)
    throw new Failure(exitCode.usage, '--compress conflicts with --compression', 'use one of them');
  if (v6 && compress !== 'none') {
    throw new Failure(
      exitCode.usage,
      'trace.dat version 6 has no compression',
      'omit one of the two options',
    );
  }
  return { version: v6 ? 6 : 7, compress };
}

export function readConvert(given: Given): ConvertCommand {
  const clock = given.get(hostSettings.clock);
  const out = given.read(hostSettings.output);
  return {
    inputs: given.operands,
    metadata: given.get(hostSettings.metadata),
    settings: { out, ...readForm(given), ...(clock === undefined ? {} : { clock }) },
    json: given.flag('json'),
  };
}
