import { agentCommand } from '../../src/cli/agent/agent-options.ts';
import { hostProgram } from '../../src/cli/host/options/host-options.ts';
import { rootsDefaultDir } from '../../src/host/guest-dir/location.ts';
import { bashCompletion } from './bash.ts';
import { fishCompletion } from './fish.ts';
import { shapeOf } from './shape.ts';
import { zshCompletion } from './zsh.ts';

/** A completion's path below dist/completions, its file named as the shell wants it, and its text. */
export type Completion = readonly [path: string, script: string];

/**
 * Files rather than a command that answers each Tab: they take no start of Node, which is half a second in an
 * emulated guest, and go where a package puts them.
 */
export function completions(): Completion[] {
  const programs = [
    agentCommand(() => {}),
    hostProgram(
      () => {},
      () => {},
    ),
  ];
  return programs.map(shapeOf).flatMap((program) => [
    [`bash/${program.name}`, bashCompletion(program, rootsDefaultDir)],
    [`zsh/_${program.name}`, zshCompletion(program, rootsDefaultDir)],
    [`fish/${program.name}.fish`, fishCompletion(program, rootsDefaultDir)],
  ]);
}
