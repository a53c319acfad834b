import assert from 'node:assert/strict';
import { test } from 'node:test';
import { all, type Happened, played, waitsOf } from './made-scene.ts';

/** Guest web: vCPU 0 is thread 100. Its task 7 waits. */
const web = { web: [100] };

/** The vCPU runs on host CPU 0, and the guest is idle. */
const begin: Happened[] = [
  [0, 'host 0', 100, ['other']],
  [0, 'web 0', 0, ['other']],
];

test('a wait behind another task, an irq, a softirq and the kernel of the guest', () => {
  const scene = played(web, [
    ...begin,
    [100, 'web 0', 0, ['waking', 8, 0]],
    [110, 'web 0', 0, ['switch', 0, 'R', 8]],
    [200, 'web 0', 8, ['waking', 7, 0]],
    [250, 'web 0', 8, ['irq', 3]],
    [270, 'web 0', 8, ['softirq', 1]],
    [280, 'web 0', 8, ['softirq-end', 1]],
    [290, 'web 0', 8, ['irq-end', 3]],
    [400, 'web 0', 8, ['switch', 8, 'S', 7]],
    [500, 'web 0', 7, ['switch', 7, 'S', 0]],
    [600, 'web 0', 0, ['waking', 7, 0]],
    [630, 'web 0', 0, ['switch', 0, 'R', 7]],
  ]);
  assert.deepEqual(waitsOf(scene, 7), [
    'wakeup task-7 200: guest-task web task-8 cpu0 160, guest-irq web #3 cpu0 30, guest-softirq web #1 cpu0 10',
    'wakeup task-7 30: guest-kernel cpu0 30',
  ]);
  assert.deepEqual(waitsOf(scene, 8), [
    'wakeup task-8 10: guest-kernel cpu0 10',
    'interrupted task-8 40: guest-irq web #3 cpu0 30, guest-softirq web #1 cpu0 10',
  ]);
});

test('an interrupt takes the time of the task that is current, but not of the one that handles it', () => {
  const events: Happened[] = [
    ...begin,
    [10, 'web 0', 0, ['switch', 0, 'R', 7]],
    [100, 'web 0', 7, ['irq', 3]],
    // the vCPU is off in the middle of it
    [110, 'host 0', 100, ['switch', 100, 'R', 9]],
    [150, 'host 0', 9, ['switch', 9, 'R', 100]],
    [200, 'web 0', 7, ['irq-end', 3]],
    [300, 'web 0', 7, ['softirq', 3]],
    [350, 'web 0', 7, ['softirq-end', 3]],
    [400, 'web 0', 7, ['irq', 4]],
    [460, 'web 0', 7, ['switch', 7, 'S', 0]],
    [500, 'web 0', 0, ['irq', 3]],
    [600, 'web 0', 0, ['irq-end', 3]],
  ];
  assert.deepEqual(waitsOf(played(web, events), 7), [
    'interrupted task-7 10: guest-irq web #3 cpu0 10',
    'stolen task-7 40: preempted host task-9 cpu0 40',
    'interrupted task-7 50: guest-irq web #3 cpu0 50',
    'interrupted task-7 50: guest-softirq web #3 cpu0 50',
    'interrupted task-7 60: guest-irq web #4 cpu0 60',
  ]);
  const ofKsoftirqd = played(web, events, { nameOf: (tid) => (tid === 7 ? 'ksoftirqd/0' : `task-${tid}`) });
  assert.deepEqual(waitsOf(ofKsoftirqd, 7), ['stolen ksoftirqd/0 40: preempted host task-9 cpu0 40']);
});

test('a preempted task waits from its switch-out', () => {
  const scene = played(web, [
    ...begin,
    [10, 'web 0', 0, ['switch', 0, 'R', 7]],
    [100, 'web 0', 7, ['switch', 7, 'R', 8]],
    [350, 'web 0', 8, ['switch', 8, 'S', 7]],
  ]);
  assert.deepEqual(waitsOf(scene, 7), ['preempted task-7 250: guest-task web task-8 cpu0 250']);
});

test('a wait behind host tasks: a vCPU that was preempted, and one that was woken', () => {
  const scene = played(web, [
    ...begin,
    [50, 'host 1', 9, ['other']],
    [100, 'host 0', 100, ['switch', 100, 'R', 9]],
    // due at 120, while the vCPU is off
    [400, 'host 0', 9, ['switch', 9, 'R', 100]],
    [420, 'web 0', 0, ['waking', 7, 0, 120]],
    [430, 'web 0', 0, ['switch', 0, 'R', 7]],
    [500, 'web 0', 7, ['switch', 7, 'S', 0]],
    [600, 'host 0', 100, ['switch', 100, 'S', 0]],
    [650, 'host 0', 0, ['switch', 0, 'R', 8]],
    [700, 'host 1', 9, ['waking', 100, 0]],
    [900, 'host 0', 8, ['switch', 8, 'R', 100]],
    [910, 'web 0', 0, ['waking', 7, 0, 640]],
    [920, 'web 0', 0, ['switch', 0, 'R', 7]],
  ]);
  assert.deepEqual(waitsOf(scene, 7), [
    'wakeup task-7 310 due: preempted host task-9 cpu0 280, guest-kernel cpu0 30',
    'wakeup task-7 280 due: woken-behind host task-8 cpu0 200, asleep 60, guest-kernel cpu0 20',
  ]);
  const thieves = scene.thieves.result(scene.entities);
  assert.deepEqual(
    thieves.map(({ guest, kind, task, ns, count, worstNs }) => [guest, kind, task, ns, count, worstNs]),
    [
      ['web', 'preempted', 'task-9', 300, 1, 300],
      ['web', 'woken-behind', 'task-8', 200, 1, 200],
    ],
  );
});

test('a vCPU that waits behind an idle CPU is throttled', () => {
  const scene = played(web, [
    [0, 'web 0', 7, ['other']],
    [0, 'host 0', 100, ['switch', 100, 'R', 0]],
    [500, 'host 0', 0, ['switch', 0, 'R', 100]],
  ]);
  assert.deepEqual(waitsOf(scene, 7), ['stolen task-7 500: preempted host swapper cpu0 500']);
});

test("time that is stolen while the guest's task is current", () => {
  const scene = played(web, [
    ...begin,
    [10, 'web 0', 0, ['switch', 0, 'R', 7]],
    [100, 'host 0', 100, ['irq', 5]],
    [120, 'host 0', 100, ['softirq', 1]],
    [130, 'host 0', 100, ['softirq-end', 1]],
    [150, 'host 0', 100, ['irq-end', 5]],
    [200, 'host 0', 100, ['kvm-exit', 30]],
    [260, 'host 0', 100, ['switch', 100, 'R', 9]],
    [290, 'host 0', 9, ['switch', 9, 'S', 100]],
    [300, 'host 0', 100, ['kvm-entry']],
  ]);
  assert.deepEqual(waitsOf(scene, 7), [
    'stolen task-7 50: host-irq host #5 cpu0 40, host-softirq host #1 cpu0 10',
    'stolen task-7 100: hypervisor host #30 cpu0 70, preempted host task-9 cpu0 30',
  ]);
});

test('a paused guest', () => {
  const scene = played(
    web,
    [
      ...begin,
      [10, 'web 0', 0, ['switch', 0, 'R', 7]],
      [100, 'host 0', 100, ['switch', 100, 'S', 0]],
      [400, 'host 0', 0, ['waking', 100, 0]],
      [400, 'host 0', 0, ['switch', 0, 'R', 100]],
    ],
    { pauses: [{ machine: 'web', from: 90, to: 390 }] },
  );
  assert.deepEqual(waitsOf(scene, 7), ['stolen task-7 310: paused 300, asleep 10']);
});

test('behind the vCPU of another guest, and the task that runs there', () => {
  const scene = played({ web: [100], db: [200] }, [
    ...begin,
    [5, 'db 0', 50, ['other']],
    [10, 'web 0', 0, ['switch', 0, 'R', 7]],
    [100, 'host 0', 100, ['switch', 100, 'R', 200]],
    [300, 'db 0', 50, ['switch', 50, 'S', 51]],
    [350, 'host 0', 200, ['switch', 200, 'R', 100]],
    // db waits behind web
    [360, 'web 0', 7, ['switch', 7, 'S', 8]],
    [400, 'host 0', 100, ['switch', 100, 'S', 200]],
  ]);
  assert.deepEqual(waitsOf(scene, 7), [
    'stolen task-7 250: other-vcpu db task-50 cpu0 200, other-vcpu db task-51 cpu0 50',
  ]);
  assert.deepEqual(waitsOf(scene, 51), [
    'stolen task-51 50: other-vcpu web task-8 cpu0 40, other-vcpu web task-7 cpu0 10',
  ]);
});

test('behind the vCPU of another guest whose switch-in was not recorded', () => {
  const scene = played({ web: [100], db: [200] }, [
    ...begin,
    [5, 'db 0', 50, ['other']],
    [10, 'web 0', 0, ['switch', 0, 'R', 7]],
    [100, 'host 0', 100, ['switch', 100, 'R', 0]],
    [150, 'host 1', 5, ['waking', 200, 0]],
    [250, 'host 0', 200, ['switch', 200, 'S', 100]],
  ]);
  assert.deepEqual(waitsOf(scene, 7), [
    'stolen task-7 150: other-vcpu db task-50 cpu0 100 inferred, preempted host swapper cpu0 50',
  ]);
});

test('a vCPU that waits behind a vCPU of its own guest, and the task that runs there', () => {
  const scene = played({ web: [100, 101] }, [
    [0, 'web 0', 7, ['other']],
    [0, 'web 1', 8, ['other']],
    [0, 'host 0', 100, ['switch', 100, 'R', 101]],
    [200, 'web 1', 8, ['switch', 8, 'R', 9]],
    [500, 'host 0', 101, ['switch', 101, 'R', 100]],
  ]);
  assert.deepEqual(waitsOf(scene, 7), [
    'stolen task-7 500: other-vcpu web task-9 cpu0 300, other-vcpu web task-8 cpu0 200',
  ]);
  const [wait] = scene.waits.worst().filter(({ tid }) => tid === 7);
  assert.deepEqual(
    wait!.causes.map(({ number }) => number),
    [1, 1],
  );
  // without the guest's file it is still known which vCPU it was
  const thieves = played({ web: [100, 101] }, [
    [0, 'host 0', 100, ['switch', 100, 'R', 101]],
    [500, 'host 0', 101, ['switch', 101, 'R', 100]],
  ]);
  assert.deepEqual(
    thieves.thieves
      .result(thieves.entities)
      .filter(({ kind }) => kind === 'other-vcpu')
      .map(({ guest, machine, task, number, ns }) => [guest, machine, task, number, ns]),
    [['web', 'web', null, 1, 500]],
  );
});

test('a vCPU that is moved to another CPU while it waits', () => {
  const scene = played(web, [
    ...begin,
    [0, 'host 1', 8, ['other']],
    [10, 'web 0', 0, ['switch', 0, 'R', 7]],
    [100, 'host 0', 100, ['switch', 100, 'R', 9]],
    [250, 'host 1', 8, ['migrate', 100, 1]],
    [400, 'host 1', 8, ['switch', 8, 'S', 100]],
  ]);
  assert.deepEqual(waitsOf(scene, 7), [
    'stolen task-7 300: preempted host task-9 cpu0 150, preempted host task-8 cpu1 150',
  ]);
});

test('a task that is moved to another CPU while it waits', () => {
  const scene = played({ web: [100, 101] }, [
    [0, 'host 0', 100, ['other']],
    [0, 'host 1', 101, ['other']],
    [0, 'web 0', 8, ['other']],
    [0, 'web 1', 0, ['other']],
    // the timer was due on CPU 1, and the task is woken to CPU 0
    [100, 'web 1', 0, ['waking', 7, 0, 60]],
    [200, 'web 1', 9, ['migrate', 7, 1]],
    [220, 'web 1', 9, ['switch', 9, 'S', 7]],
  ]);
  assert.deepEqual(waitsOf(scene, 7), [
    'wakeup task-7 160 due: guest-task web task-8 cpu0 100, guest-kernel cpu1 40, guest-task web task-9 cpu1 20 inferred',
  ]);
});

test('a task and a vCPU whose moves were not recorded', () => {
  const scene = played({ web: [100, 101] }, [
    [0, 'host 0', 100, ['other']],
    [0, 'host 1', 101, ['other']],
    [0, 'host 2', 0, ['other']],
    [0, 'web 0', 8, ['other']],
    [0, 'web 1', 0, ['other']],
    [100, 'web 1', 0, ['waking', 7, 0, 60]],
    [220, 'web 1', 0, ['switch', 0, 'R', 7]],
    [300, 'host 1', 101, ['switch', 101, 'R', 9]],
    [400, 'host 2', 0, ['switch', 0, 'R', 101]],
  ]);
  assert.deepEqual(waitsOf(scene, 7), [
    'wakeup task-7 160 due: unknown 120, guest-kernel cpu1 40',
    'stolen task-7 100: unknown 100',
  ]);
});

test('a switch out of idle that the host did not record', () => {
  const scene = played(web, [
    ...begin,
    [10, 'web 0', 0, ['switch', 0, 'R', 7]],
    [100, 'host 0', 100, ['switch', 100, 'S', 0]],
    [150, 'host 1', 5, ['waking', 9, 0]],
    [200, 'host 1', 5, ['waking', 100, 0]],
    // task 9 has the CPU, though nothing said so
    [300, 'host 0', 9, ['other']],
    [400, 'host 0', 9, ['switch', 9, 'S', 100]],
  ]);
  assert.deepEqual(waitsOf(scene, 7), [
    'stolen task-7 300: woken-behind host task-9 cpu0 200 inferred, asleep 100',
  ]);
});

test('a switch that was not recorded, to a task whose wake-up was not recorded', () => {
  const scene = played(web, [
    ...begin,
    [10, 'web 0', 0, ['switch', 0, 'R', 7]],
    [100, 'host 0', 100, ['switch', 100, 'R', 8]],
    [300, 'host 0', 9, ['other']],
    [400, 'host 0', 9, ['switch', 9, 'S', 100]],
  ]);
  assert.deepEqual(waitsOf(scene, 7), [
    'stolen task-7 300: preempted host task-8 cpu0 200, preempted host task-9 cpu0 100 inferred',
  ]);
});

test("a vCPU's own switch-in that was not recorded", () => {
  const scene = played(web, [
    ...begin,
    [10, 'web 0', 0, ['switch', 0, 'R', 7]],
    [100, 'host 0', 100, ['switch', 100, 'S', 0]],
    [200, 'host 1', 5, ['waking', 100, 0]],
    [300, 'host 0', 100, ['switch', 100, 'S', 0]],
    [350, 'host 1', 5, ['waking', 100, 0]],
    [360, 'host 0', 0, ['switch', 0, 'R', 100]],
  ]);
  assert.deepEqual(waitsOf(scene, 7), [
    'stolen task-7 100: asleep 100',
    'stolen task-7 60: asleep 50, woken-behind host swapper cpu0 10',
  ]);
});

test('an event of the task that was just switched out is no switch', () => {
  const scene = played(web, [
    ...begin,
    [10, 'web 0', 0, ['switch', 0, 'R', 7]],
    [100, 'host 0', 100, ['switch', 100, 'R', 9]],
    [110, 'host 0', 100, ['other']],
    [300, 'host 0', 9, ['switch', 9, 'S', 100]],
  ]);
  assert.deepEqual(waitsOf(scene, 7), ['stolen task-7 200: preempted host task-9 cpu0 200']);
});

test('a wake-up just before the switch-out counts from the switch-out', () => {
  const scene = played(web, [
    ...begin,
    [10, 'web 0', 0, ['switch', 0, 'R', 7]],
    [90, 'host 1', 5, ['waking', 100, 0]],
    [100, 'host 0', 100, ['switch', 100, 'S', 9]],
    [300, 'host 0', 9, ['switch', 9, 'S', 100]],
  ]);
  assert.deepEqual(waitsOf(scene, 7), ['stolen task-7 200: woken-behind host task-9 cpu0 200']);
});

test('a wake-up with the time of the switch-in, on a CPU that is read later', () => {
  const scene = played(web, [
    ...begin,
    [10, 'web 0', 0, ['switch', 0, 'R', 7]],
    [20, 'host 1', 5, ['other']],
    [100, 'host 0', 100, ['switch', 100, 'S', 9]],
    [300, 'host 0', 9, ['switch', 9, 'S', 100]],
    [300, 'host 1', 5, ['waking', 100, 0]],
    [400, 'host 0', 100, ['switch', 100, 'S', 9]],
    [500, 'host 0', 9, ['switch', 9, 'S', 100]],
    [600, 'host 1', 5, ['other']],
  ]);
  assert.deepEqual(waitsOf(scene, 7), ['stolen task-7 200: asleep 200', 'stolen task-7 100: unknown 100']);
});

test('events that the host lost are unknown, from the last event before', () => {
  const scene = played(web, [
    ...begin,
    [10, 'web 0', 0, ['switch', 0, 'R', 7]],
    [50, 'web 0', 7, ['switch', 7, 'R', 8]],
    [100, 'host 0', 100, ['switch', 100, 'R', 9]],
    [200, 'host 0', 9, ['other']],
    [500, 'host 0', 9, ['other'], 'lost'],
    // whether it still waits there is unknown until it is seen
    [600, 'host 0', 9, ['switch', 9, 'S', 100]],
    [650, 'web 0', 8, ['switch', 8, 'S', 7]],
  ]);
  assert.deepEqual(waitsOf(scene, 7), [
    'preempted task-7 600: unknown 400, guest-task web task-8 cpu0 100, preempted host task-9 cpu0 100',
  ]);
});

test('a vCPU that was asleep may have been woken in events that were lost', () => {
  const scene = played(web, [
    ...begin,
    [10, 'web 0', 0, ['switch', 0, 'R', 7]],
    [20, 'host 1', 5, ['other']],
    [100, 'host 0', 100, ['switch', 100, 'S', 9]],
    [200, 'host 1', 5, ['other']],
    [300, 'host 1', 5, ['other'], 'lost'],
    // no wake-up was seen
    [400, 'host 0', 9, ['switch', 9, 'S', 100]],
    [500, 'host 0', 100, ['switch', 100, 'S', 9]],
    [600, 'host 1', 5, ['other']],
    [700, 'host 1', 5, ['other'], 'lost'],
    [800, 'host 1', 5, ['waking', 100, 0]],
    [900, 'host 0', 9, ['switch', 9, 'S', 100]],
  ]);
  assert.deepEqual(waitsOf(scene, 7), [
    'stolen task-7 100: asleep 100',
    'stolen task-7 100: unknown 100',
    'stolen task-7 100: asleep 100',
    'stolen task-7 200: asleep 100, woken-behind host task-9 cpu0 100',
  ]);
});

test('events that the guest lost are unknown', () => {
  const scene = played(web, [
    ...begin,
    [10, 'web 0', 0, ['switch', 0, 'R', 8]],
    [50, 'web 0', 8, ['waking', 7, 0]],
    [100, 'web 0', 8, ['other']],
    [300, 'web 0', 8, ['other'], 'lost'],
    [450, 'web 0', 8, ['switch', 8, 'S', 7]],
    // this wait ends in the loss
    [500, 'web 0', 7, ['switch', 7, 'R', 8]],
    [600, 'web 0', 7, ['other'], 'lost'],
  ]);
  assert.deepEqual(waitsOf(scene, 7), ['wakeup task-7 400: guest-task web task-8 cpu0 200, unknown 200']);
  assert.equal(scene.waitsInLoss, 1);
});

test('nothing is known before the first event that says it', () => {
  const scene = played(web, [
    [0, 'web 0', 8, ['waking', 7, 0]],
    [100, 'host 0', 9, ['switch', 9, 'S', 100]],
    [150, 'web 0', 8, ['switch', 8, 'S', 7]],
  ]);
  assert.deepEqual(waitsOf(scene, 7), ['wakeup task-7 150: unknown 100, guest-task web task-8 cpu0 50']);
});

test("without the host, idle time may be anybody's", () => {
  const scene = played(
    { web: [100] },
    [
      [0, 'web 0', 8, ['waking', 7, 0]],
      [50, 'web 0', 8, ['switch', 8, 'S', 0]],
      [70, 'web 0', 0, ['switch', 0, 'R', 7]],
    ],
    { hasHost: false },
  );
  assert.deepEqual(waitsOf(scene, 7), ['wakeup task-7 70: guest-task web task-8 cpu0 50, unknown 20']);
});

test('a wait that goes on at the end', () => {
  const scene = played(web, [
    ...begin,
    [10, 'web 0', 0, ['switch', 0, 'R', 8]],
    [50, 'web 0', 8, ['waking', 7, 0]],
    [100, 'web 0', 8, ['other']],
  ]);
  assert.deepEqual(waitsOf(scene, 7), ['wakeup task-7 50 open: guest-task web task-8 cpu0 50']);
});

test('only the worst waits, those over a length, in a time, of a task', () => {
  const events: Happened[] = [...begin];
  for (let at = 1000; at <= 10_000; at += 1000) {
    events.push([at, 'web 0', 0, ['waking', 7, 0]]);
    events.push([at + at / 100, 'web 0', 0, ['switch', 0, 'R', 7]]);
    events.push([at + at / 100 + 1, 'web 0', 7, ['switch', 7, 'S', 0]]);
  }
  const lengths = (choice: Partial<typeof all>) =>
    played(web, events, { choice: { ...all, ...choice } })
      .waits.worst()
      .map(({ lengthNs }) => lengthNs);
  assert.deepEqual(lengths({ worst: 3 }), [100, 90, 80]);
  assert.deepEqual(lengths({ overNs: 90 }), [100, 90]);
  assert.deepEqual(lengths({ from: 3025, to: 5000 }), [50, 40, 30]);
  assert.deepEqual(lengths({ isWanted: ({ tid }) => tid === 8 }), []);
});

test('events of a guest while its vCPU is off are counted', () => {
  const scene = played(web, [
    ...begin,
    [10, 'web 0', 0, ['other']],
    [100, 'host 0', 100, ['switch', 100, 'S', 9]],
    [110, 'web 0', 0, ['other']],
  ]);
  assert.deepEqual([...scene.checks.values()], [{ samples: 3, violations: 1 }]);
});

test('thieves are summed up within a time', () => {
  const scene = played(
    web,
    [
      [0, 'web 0', 7, ['other']],
      [0, 'host 0', 100, ['switch', 100, 'R', 8]],
      [100, 'host 0', 8, ['switch', 8, 'S', 100]],
      [120, 'host 0', 100, ['switch', 100, 'R', 8]],
      [150, 'host 0', 8, ['switch', 8, 'R', 9]],
      [160, 'host 0', 9, ['switch', 9, 'S', 100]],
      [180, 'host 0', 100, ['switch', 100, 'R', 9]],
      [300, 'host 0', 9, ['switch', 9, 'S', 100]],
    ],
    { choice: { ...all, from: 50, to: 200 } },
  );
  assert.deepEqual(
    scene.thieves
      .result(scene.entities)
      .map(({ kind, task, ns, count, worstNs }) => [kind, task, ns, count, worstNs]),
    [
      ['preempted', 'task-8', 80, 2, 50],
      ['preempted', 'task-9', 30, 2, 20],
    ],
  );
});
