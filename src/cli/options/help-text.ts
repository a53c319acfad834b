/** A command line and what it does, for `--help` and the man page. */
export type Example = readonly [command: string, what: string];

/** The examples section of `--help`, after the options. */
export function examplesText(examples: readonly Example[]): string {
  const width = Math.max(...examples.map(([command]) => command.length));
  return `\nExamples:\n${examples.map(([command, what]) => `  ${command.padEnd(width)}  ${what}\n`).join('')}`;
}
