import { json } from '../../base/quoted.ts';
import type { ExitCode } from '../../base/failure.ts';
import { exitCode } from '../../base/failure.ts';
import type { Link } from '../../base/diagnosis.ts';
import { isSound } from '../../base/diagnosis.ts';

/**
 * Prints one line per link, with its remedy; or all as JSON.
 * @returns the program's exit code: failed if a link is wrong
 */
export function printLinks(links: readonly Link[], asJson: boolean): ExitCode {
  const sound = isSound(links);
  process.stdout.write(asJson ? `${json({ sound, links })}\n` : linesOf(links));
  return sound ? exitCode.done : exitCode.failed;
}

export function linesOf(links: readonly Link[]): string {
  const width = Math.max(...links.map(({ link }) => link.length));
  const lines = links.map(({ link, state, what, remedy }) => {
    const said = remedy === '' ? what : `${what} — ${remedy}`;
    return `${link.padEnd(width)}  ${state.padEnd('unknown'.length)}  ${said}\n`;
  });
  return lines.join('');
}
