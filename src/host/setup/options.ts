import type { GuestLocation } from '../guest-dir/location.ts';
import type { Chardev, Transport } from '../port-names.ts';

export const setupFormats = ['qemu', 'libvirt', 'json'] as const;
export type SetupFormat = (typeof setupFormats)[number];

/** The running guest that gets the ports. */
export type ApplyTo =
  | { readonly kind: 'qmp'; readonly socket: string }
  | { readonly kind: 'domain'; readonly domain: string };

/** Settings of `trace-host setup`. An undefined one keeps its value of an earlier run, or has its default. */
export interface SetupOptions {
  readonly location: GuestLocation;
  readonly cpus: number | undefined;
  readonly chardev: Chardev | undefined;
  readonly transport: Transport | undefined;
  readonly group: string | undefined;
  /** The format of the output; undefined to print only what was done. */
  readonly format: SetupFormat | undefined;
  readonly applyTo: ApplyTo | undefined;
  readonly remove: boolean;
}
