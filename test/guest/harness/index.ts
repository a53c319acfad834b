/** The parts of the harness that guest tests, the demo and the benchmarks use. */
export { Guest } from './guest.ts';
export type { RunResult } from './guest.ts';
export { bootGuest } from './machine.ts';
export type { BootOptions } from './machine.ts';
export { restoreGuest } from './saved-state.ts';
export type { RestoreOptions, Running } from './saved-state.ts';
export { Collector } from './collector.ts';
export type { GuestProcess } from './guest-process.ts';
export { PortEnd } from './port-end.ts';
export { tracePorts } from './ports.ts';
export type { PortSpec, TracePortOptions } from './ports.ts';
