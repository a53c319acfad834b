/** What guest tests, the demo and the benchmarks use of the harness. */
export { bootGuest, Guest } from './guest.ts';
export type { BootOptions, RunResult } from './guest.ts';
export { restoreGuest } from './saved-state.ts';
export type { RestoreOptions, Running } from './saved-state.ts';
export { Collector } from './collector.ts';
export type { GuestProcess } from './guest-process.ts';
export { PortEnd } from './port-end.ts';
export { tracePorts } from './ports.ts';
export type { PortSpec, TracePortOptions } from './ports.ts';
