/** The command that runs this program again; its options follow. */
export function selfCommand(): readonly string[] {
  const [, script = ''] = process.argv;
  // a single-file executable contains its script
  const isSingle = process.argv0 === script || process.execPath === script;
  return isSingle ? [process.execPath] : [process.execPath, script];
}
