/** Entry point of the packages that only `trace-host serve` needs, in the single-file executable. */
export * from '../../../src/serve/libraries.ts';
