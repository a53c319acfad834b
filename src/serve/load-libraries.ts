/** Loads the daemon's packages. The single executable has its own, tools/single/inside/load-libraries.ts. */
export async function loadLibraries(): Promise<typeof import('./libraries.ts')> {
  const bundle = new URL('./libraries.mjs', import.meta.url).href;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the build makes it of that file
  return (await import(bundle)) as typeof import('./libraries.ts');
}
