/**
 * Options that `trace-cmd report` and `trace-host report` share, as they are compared. Those whose output does not depend on
 * what a file contains print the same for all files of a kernel, so they are compared once.
 */
export const metadataOptions: readonly (readonly string[])[] = [
  ['--check-events'],
  ['--first-event'],
  ['--last-event'],
  ['--cpus'],
  ['--uname'],
  ['--version'],
  ['-f'],
  ['-P'],
  ['-E'],
  ['-e'],
];

/** As above, for files that are not compressed and of version 6: of others trace-cmd prints no formats, or other places. */
export const oldFileOptions: readonly (readonly string[])[] = [['--stat'], ['--events']];

/** Options that change how every event is printed, or which. */
export const eventOptions: readonly (readonly string[])[] = [
  [],
  ['-N'],
  ['-R'],
  ['-t'],
  ['-l'],
  ['-w'],
  ['-L'],
  ['-I'],
  ['-S'],
  ['-q'],
  ['-G'],
  ['-v'],
  ['-I', '-S', '-l', '-t'],
  ['--ts-diff'],
  ['--ts-diff', '-t'],
  ['--ts-diff', '-l'],
  ['--ts2secs', '1000'],
  ['--ts-check'],
  ['--raw-ts'],
  ['--align-ts'],
  ['--nodate'],
  ['--cpu', '0'],
  ['--cpu', '1'],
  ['--cpu', '0-1'],
  ['-R', '-t', '-l'],
];

/** Options of plugins: they change what functions look like. */
export const functionOptions: readonly (readonly string[])[] = [
  ['-O', 'fgraph:tailprint=1'],
  ['-O', 'fgraph:depth=1'],
  ['-O', 'tailprint', '-O', 'depth'],
  ['-O', 'parent'],
  ['-O', 'ftrace:parent=1', '-O', 'ftrace:indent=0'],
  ['-O', 'indent=0'],
  ['-O', 'offset'],
  ['-O', 'ftrace:offset=1', '-O', 'parent'],
];

/** Options that name an event of the file. */
export function namedOptions(
  system: string,
  event: string,
  hasStacks: boolean,
): readonly (readonly string[])[] {
  // of CPUs other than 0, trace-cmd reads memory that nobody wrote to decide about the first stack trace
  const filters = hasStacks
    ? []
    : [
        ['-F', event],
        ['-F', `${system}/${event}:common_pid > 1`],
        ['-F', `.*:CPU == 0`],
      ];
  return [...filters, ['-r', event], ['-r', `${system}:${event}`], ['-n', event], ['-v', '-F', event]];
}

/** Those of a short run: each kind of line, and of what else it prints. */
export const shortOptions: readonly (readonly string[])[] = [
  [],
  ['-N', '-t'],
  ['-R'],
  ['-l', '--ts-diff'],
  ['--cpu', '1'],
];
