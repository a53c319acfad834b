import { errorCode } from '../../base/error-code.ts';
import { SettingsError } from './settings-error.ts';

/**
 * One change. EINVAL and ENOMEM mean that this value will not do (`refused` names the kind); EBUSY, that something
 * uses what would change; any other errno is the machine's trouble.
 */
export function attempt(
  refused: SettingsError['code'],
  what: string,
  change: () => void,
  kernelWords?: (errno: string) => string | undefined,
): void {
  try {
    change();
  } catch (error) {
    const errno = error instanceof SettingsError ? '' : errorCode(error);
    if (errno === '') throw error;
    const cause = { cause: error };
    if (errno === 'EBUSY') {
      throw new SettingsError('busy', `${what} refused: EBUSY, something has the ring open or mapped`, cause);
    }
    const code = errno === 'EINVAL' || errno === 'ENOMEM' ? refused : 'failed';
    throw new SettingsError(code, `${what} refused: ${kernelWords?.(errno) ?? errno}`, cause);
  }
}
