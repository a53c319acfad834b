/** Put here by the build, in place of src/base/version.ts: there is no package.json beside the executable. */
declare const PACKAGE_VERSION: string;

export const version = PACKAGE_VERSION;
