import { closeSync } from 'node:fs';
import { exitCode, Failure } from '../../base/failure.ts';
import { openChannel } from '../control/channel.ts';
import { GuestDir } from '../guest-dir/guest-dir.ts';
import type { GuestLocation } from '../guest-dir/location.ts';
import { guestLabel, guestOptions } from '../guest-dir/location.ts';
import { controlPortName } from '../port-names.ts';

/**
 * Call this before removing ports: without its FIFOs, a running guest's ports cannot be reached until it is
 * restarted.
 * @throws Failure (failed) when a QEMU has the ports open
 */
export async function refuseRunning(location: GuestLocation): Promise<void> {
  if (!(await hasQemu(location))) return;
  const options = guestOptions(location);
  throw new Failure(
    exitCode.failed,
    `${guestLabel(location)} is running and has these ports`,
    `shut it down, or detach them: trace-host setup${options} --remove --apply, with --qmp or --domain`,
  );
}

async function hasQemu(location: GuestLocation): Promise<boolean> {
  let guest: GuestDir;
  try {
    guest = GuestDir.open(location);
  } catch (cause) {
    if (cause instanceof Failure) return false;
    throw cause;
  }
  try {
    if (guest.chardev === 'pipe') closeSync(guest.openFifo(controlPortName, 'in'));
    // only checks the connection and sends no order, so a process that has the lock is not disturbed
    else (await openChannel(guest, { heard: () => {}, gone: () => {} })).close();
    return true;
  } catch (cause) {
    if (cause instanceof Failure) return false;
    throw cause;
  } finally {
    guest.close();
  }
}
