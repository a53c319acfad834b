import { join, resolve } from 'node:path';
import { exitCode, Failure } from '../../failure.ts';
import { quoted } from '../../quoted.ts';

/** Where the C agent's instructions have always put the FIFOs. */
export const defaultDir = '/tmp/virtio-trace';

/**
 * Which guest is meant. The directory itself is one guest's, as in the C agent's instructions; each named guest has
 * a directory of its own in it, as trace-cmd's named guests have.
 */
export interface GuestLocation {
  readonly dir: string;
  /** Checked by `parseGuestName`. */
  readonly guest: string | undefined;
}

/** Absolute path of the guest's directory, links not resolved. */
export function guestPath({ dir, guest }: GuestLocation): string {
  return guest === undefined ? resolve(dir) : join(resolve(dir), guest);
}

/** What messages call the guest. */
export function guestLabel({ dir, guest }: GuestLocation): string {
  return guest === undefined ? `the guest in ${resolve(dir)}` : `guest ${guest}`;
}

/** The options that name this guest to another trace-host command, with a blank before them; empty for the default. */
export function guestOptions({ dir, guest }: GuestLocation): string {
  const given = [];
  if (guest !== undefined) given.push(` --guest ${guest}`);
  if (resolve(dir) !== defaultDir) given.push(` --dir ${dir}`);
  return given.join('');
}

/** Checks a guest's name: it becomes a directory's, and stands in messages. Throws Failure (usage). */
export function parseGuestName(text: string, name: string): string {
  if (/^[A-Za-z0-9_][\w.-]{0,63}$/.test(text)) return text;
  const message = `${name}: ${quoted(text)} is no name of a guest`;
  throw new Failure(
    exitCode.usage,
    message,
    'give up to 64 letters, digits, _, . and -, not beginning with . or -',
  );
}
