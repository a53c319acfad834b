/** What host and agent say on the control port; docs/protocol.md is the reference. */
export const orderNames = ['start', 'stop', 'status', 'metadata', 'ping'] as const;
export type OrderName = (typeof orderNames)[number];
