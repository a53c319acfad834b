import { printLinks } from '../report/diagnosis.ts';
import type { ExitCode } from '../../base/failure.ts';
import { examineGuest } from '../../host/doctor/examine.ts';
import type { OrderOptions } from './options/host-options.ts';

/** Prints what is found on the way to a guest's agent. Ends with failed when a link is wrong. */
export async function runDoctor({ location, timeoutMs, json }: OrderOptions): Promise<ExitCode> {
  return printLinks(await examineGuest({ location, timeoutMs, outDir: process.cwd() }), json);
}
