/** Names that guests may give their tasks. */
export const hostileNames = ['<img src=x onerror=alert(1)>', '\u001b[31mred\u0007', '\u202eevil'] as const;

let second = 0;

/** A frame as `trace-host top --json` gives it, other figures each second. */
export function madeFrame(): object {
  second++;
  const wave = (phase: number): number => (Math.sin(second / 5 + phase) + 1) / 2;
  const cpu = (number: number, isGuest: boolean): object => ({
    cpu: number,
    busyShare: 0.2 + 0.6 * wave(number),
    irqShare: 0.02 + 0.05 * wave(number + 1),
    stealShare: isGuest ? 0.3 * wave(number + 2) : null,
    ringFill: 0.1 + 0.3 * wave(number),
    topTask: { comm: 'nginx', pid: 812, share: 0.4 },
    lostBytes: 0,
    overrun: 0,
  });
  const counts = [3, 40, 310, 1200, 2100, 1700, 600, 150, 44, 12, 3, 0, 1];
  const wakeups = {
    count: counts.reduce((sum, each) => sum + each, 0),
    p50Ns: 9200,
    p99Ns: 240_000,
    maxNs: 3_900_000,
    histogram: counts.map((count, index) => [2 ** (index + 10), count]),
  };
  const machine = (name: string | null, cpus: number): object => ({
    name,
    host: name === null,
    state: 'tracing',
    agentVersion: '0.1.0',
    events: second * 41_000,
    eventsPerSecond: 38_000 + 9000 * wave(0),
    bytesPerSecond: 1_700_000 + 400_000 * wave(1),
    lostBytes: 0,
    overrun: name === 'web' ? 12 : 0,
    restarts: 0,
    cpus: Array.from({ length: cpus }, (_, number) => cpu(number, name !== null)),
    tasks: [
      { comm: name === null ? 'qemu-system-x86' : 'nginx', pid: 812, share: 0.44, cpus: [0] },
      { comm: hostileNames[0].slice(0, 15), pid: 900, share: 0.2, cpus: [1] },
      { comm: hostileNames[1], pid: 901, share: 0.07, cpus: [1] },
      { comm: 'kworker/0:1', pid: 33, share: 0.012, cpus: [0] },
    ],
    steal: name === null ? [] : [{ byComm: 'backup', byPid: 4411, share: 0.17, guestCpu: 0 }],
    wakeups,
    missing: name === null ? [] : ['irq:irq_handler_entry'],
  });
  return {
    frame: second,
    at: new Date().toISOString(),
    spanMs: 1000,
    machines: [machine('web', 2), machine(null, 4)],
  };
}

/** Two guests of a host, one of them gone. */
export const madeGuests = {
  host: { cpus: 4, hostname: 'node1' },
  guests: [
    {
      name: 'web',
      dir: '/var/lib/virtio-trace/web',
      state: 'tracing',
      agent: { version: '0.1.0', uptimeMs: 8_123_000, restarts: 0 },
      cpus: 2,
      lostBytes: 0,
      job: null,
      why: null,
    },
    {
      name: 'db',
      dir: '/var/lib/virtio-trace/db',
      state: 'gone',
      agent: null,
      cpus: 2,
      lostBytes: 0,
      job: null,
      why: 'its agent does not answer; is the guest running?',
    },
  ],
};
