import { printLinks } from '../report/diagnosis.ts';
import type { ExitCode } from '../../base/failure.ts';
import { examineAgent } from '../../supervisor/doctor.ts';
import type { AgentOptions } from '../../supervisor/options.ts';

/** Checks everything from the rings to the ports and prints the results. Returns `failed` if a link is wrong. */
export async function runAgentDoctor(options: AgentOptions, json: boolean): Promise<ExitCode> {
  return printLinks(await examineAgent(options), json);
}
