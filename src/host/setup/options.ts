import type { GuestLocation } from '../guest-dir/location.ts';
import type { Chardev, Transport } from '../port-names.ts';

export const setupFormats = ['qemu', 'libvirt', 'json'] as const;
export type SetupFormat = (typeof setupFormats)[number];

/** Whose running guest gets the ports. */
export type ApplyTo =
  | { readonly kind: 'qmp'; readonly socket: string }
  | { readonly kind: 'domain'; readonly domain: string };

/** What `trace-host setup` is to do; undefined: as an earlier run settled it, else the default. */
export interface SetupOptions {
  readonly location: GuestLocation;
  readonly cpus: number | undefined;
  readonly chardev: Chardev | undefined;
  readonly transport: Transport | undefined;
  readonly group: string | undefined;
  /** undefined: nothing but what was done. */
  readonly format: SetupFormat | undefined;
  readonly applyTo: ApplyTo | undefined;
  readonly remove: boolean;
}
