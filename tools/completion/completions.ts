import { agentCommand } from '../../src/cli/agent/agent-options.ts';
import { hostProgram } from '../../src/cli/host/options/host-options.ts';
import { rootsDefaultDir } from '../../src/host/guest-dir/location.ts';
import { bashCompletion } from './bash.ts';
import { fishCompletion } from './fish.ts';
import { shapeOf } from './shape.ts';
import { zshCompletion } from './zsh.ts';

/** A completion: its path below dist/completions, with the file name that the shell expects, and its text. */
export type Completion = readonly [path: string, script: string];

/**
 * Static files rather than a command that runs at each Tab: they do not start Node, which takes half a second in an
 * emulated guest, and a package can install them.
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
