/** The beginning of a command that runs this program again; the options have to be appended. */
export function selfCommand(): readonly string[] {
  const [, script = ''] = process.argv;
  // a single-file executable contains its script
  const isSingle = process.argv0 === script || process.execPath === script;
  return isSingle ? [process.execPath] : [process.execPath, script];
}
