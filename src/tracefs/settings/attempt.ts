import { errorCode } from '../../base/error-code.ts';
import { SettingsError } from './settings-error.ts';

/**
 * Makes one change. EINVAL and ENOMEM mean that the value is bad: the error then has the code `refused`. EBUSY means
 * that something is in use; any other errno is a fault of the machine.
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
