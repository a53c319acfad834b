import { loadLibraries } from '../load-libraries.ts';

/** Checks values by a JSON schema. @returns a function that says what is wrong, or undefined if nothing is */
export async function validatorOf(schema: object): Promise<(value: unknown) => string | undefined> {
  const { Ajv } = await loadLibraries();
  const ajv = new Ajv();
  const check = ajv.compile(schema);
  return (value) => (check(value) ? undefined : ajv.errorsText(check.errors));
}
