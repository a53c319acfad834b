import type { Guest } from '../harness/index.ts';
import { guestTracefs } from './account.ts';

/** Sets a file of the guest's tracefs at the top level. */
export async function setRing(guest: Guest, file: string, value: number | string): Promise<void> {
  await guest.check(`echo ${value} > ${guestTracefs}/${file}`);
}
