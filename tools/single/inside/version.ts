/** Replaces src/base/version.ts; the build inserts the version, as there is no package.json next to the executable. */
declare const PACKAGE_VERSION: string;

export const version = PACKAGE_VERSION;
