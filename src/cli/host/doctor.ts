import { printLinks } from '../report/diagnosis.ts';
import type { ExitCode } from '../../base/failure.ts';
import { examineGuest } from '../../host/doctor/examine.ts';
import type { OrderOptions } from './options/host-options.ts';

/** Checks everything between host and agent and prints the results. Returns `failed` if a link is wrong. */
export async function runDoctor({ location, timeoutMs, json }: OrderOptions): Promise<ExitCode> {
  return printLinks(await examineGuest({ location, timeoutMs, outDir: process.cwd() }), json);
}
