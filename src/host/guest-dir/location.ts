import { lstatSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { exitCode, Failure } from '../../base/failure.ts';
import { quoted } from '../../base/quoted.ts';
import { guestMarks } from '../port-names.ts';

/** The default for root: not cleaned by age, and present after a reboot, before libvirt starts its guests. */
export const rootsDefaultDir = '/var/lib/virtio-trace';
/** The directory of the FIFOs in the C agent's instructions, and the default of earlier versions. */
const formerDir = '/tmp/virtio-trace';

/** The directory of guests if `--dir` is not given. */
export const defaultDir = process.geteuid?.() === 0 ? rootsDefaultDir : join(stateHome(), 'virtio-trace');

function stateHome(): string {
  const given = process.env['XDG_STATE_HOME'] ?? '';
  return isAbsolute(given) ? given : join(homedir(), '.local', 'state');
}

/**
 * Selects a guest. The directory itself belongs to one guest, as in the C agent's instructions; each named guest has
 * a directory of its own in it, as in trace-cmd.
 */
export interface GuestLocation {
  readonly dir: string;
  /** Checked by `parseGuestName`. */
  readonly guest: string | undefined;
}

/**
 * Absolute path of the guest's directory, links not resolved; a guest of the default directory may be in the former
 * default.
 */
export function guestPath(location: GuestLocation): string {
  return pathIn(holdingDir(location), location.guest);
}

/** The directory that contains the guest's directory, or would contain it. */
export function holdingDir({ dir, guest }: GuestLocation, former = formerDir): string {
  const given = resolve(dir);
  if (given !== defaultDir || holdsGuest(pathIn(given, guest))) return given;
  return holdsGuest(pathIn(former, guest)) ? former : given;
}

function pathIn(dir: string, guest: string | undefined): string {
  return guest === undefined ? dir : join(dir, guest);
}

/** Whether the directory contains a guest that belongs to this user: anybody may create a directory in /tmp. */
function holdsGuest(path: string): boolean {
  const own = (name: string): boolean => {
    try {
      return lstatSync(join(path, name)).uid === process.geteuid?.();
    } catch {
      return false;
    }
  };
  return own('.') && guestMarks.some(own);
}

/** The guest's name in messages. */
export function guestLabel(location: GuestLocation): string {
  return location.guest === undefined ? `the guest in ${guestPath(location)}` : `guest ${location.guest}`;
}

/** The options that select this guest in another trace-host command, with a leading blank; empty for the default. */
export function guestOptions({ dir, guest }: GuestLocation): string {
  const given = [];
  if (guest !== undefined) given.push(` --guest ${guest}`);
  if (resolve(dir) !== defaultDir) given.push(` --dir ${dir}`);
  return given.join('');
}

/** Checks a guest's name, which becomes a directory's name and appears in messages. Throws Failure (usage). */
export function parseGuestName(text: string, name: string): string {
  if (/^[A-Za-z0-9_][\w.-]{0,63}$/.test(text)) return text;
  const message = `${name}: ${quoted(text)} is not a guest name`;
  throw new Failure(
    exitCode.usage,
    message,
    'use up to 64 letters, digits, _, . and -; do not begin with . or -',
  );
}
