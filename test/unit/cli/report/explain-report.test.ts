import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type Cause,
  causeKinds,
  type Explanation,
  type Wait,
} from '../../../../src/analysis/explain/result.ts';
import { causeText, verdict } from '../../../../src/cli/report/cause-text.ts';
import { explanationText } from '../../../../src/cli/report/explain-report.ts';

const backup: Cause = {
  kind: 'preempted',
  machine: 'host',
  task: 'backup',
  tid: 4411,
  prio: 49,
  number: null,
  name: null,
  cpu: 1,
  ns: 7_900_000,
  inferred: false,
};
const kernel: Cause = {
  ...backup,
  kind: 'guest-kernel',
  machine: 'web',
  task: null,
  tid: null,
  prio: null,
  ns: 200_000,
};
const wait: Wait = {
  machine: 'web',
  task: 'nginx',
  tid: 812,
  prio: 120,
  cpu: 0,
  dueNs: 36_004_539_328_117n,
  endNs: 36_004_547_428_117n,
  lengthNs: 8_100_000,
  kind: 'wakeup',
  isDue: true,
  isOver: true,
  causes: [backup, kernel],
};
const clock = { method: 'ping', offsetNs: 5n, ratePpm: 1, boundNs: 24_000, samples: 1000, violations: 1 };

function explanation(more: Partial<Explanation> = {}): Explanation {
  const { cpu: _, inferred: __, ...thief } = backup;
  return {
    clocks: { web: clock },
    waits: [wait],
    waitCount: 1,
    thieves: [{ ...thief, guest: 'web', count: 1, worstNs: 7_900_000 }],
    unknownNs: 0,
    missing: [],
    ...more,
  };
}

const withCause = (more: Partial<Cause>): Explanation =>
  explanation({ waits: [{ ...wait, causes: [{ ...backup, ...more }, kernel] }] });

describe('explanationText', () => {
  it('shows waits with their causes, thieves, the clock, and a verdict', () => {
    assert.equal(
      explanationText(explanation(), 80),
      `1 wait

1. web: nginx:812 waited 8.100 ms on CPU 0, due at 36004.539328117
   ####################  97.5 %  7.900 ms  vCPU preempted by host task backup:4411 (prio 49) on host CPU 1
   #                      2.5 %  200.0 us  the guest's kernel, until it switched

    time    share  count     worst  who took the CPUs of web
7.900 ms  100.0 %      1  7.900 ms  vCPU preempted by host task backup:4411 (prio 49)

clock of web: converted to the host's, right to within 24.00 us (ping; 0.1 % of its events while its vCPU was off)

web: task nginx[812] waited 8.100 ms; 7.900 ms because host task backup[4411] (prio 49) held CPU 1, where its vCPU 0 runs
may help: that task on other CPUs (taskset, cpuset), as its realtime priority beats any vCPU without one
`,
    );
  });

  it('says what is unknown and why, and what is missing', () => {
    const lost = { ...kernel, kind: 'unknown', name: 'events were lost', ns: 810_000 } as const;
    const text = explanationText(
      explanation({
        waits: [{ ...wait, causes: [{ ...backup, ns: 7_290_000 }, lost] }],
        unknownNs: 810_000,
        missing: ['web: no timers'],
      }),
      80,
    );
    assert.match(text, /\nunknown: 10\.0 % of the time of these waits \(810\.0 us: events were lost\)\n/);
    assert.match(text, /\nmissing: web: no timers\n/);
    assert.match(text, /where its vCPU 0 runs \(10\.0 % of the wait is unknown\)\n/);
  });

  it('sums up many causes', () => {
    const causes = Array.from({ length: 9 }, (_, tid) => ({ ...backup, tid: tid + 1, ns: 900_000 }));
    const lines = explanationText(explanation({ waits: [{ ...wait, causes }] }), 80).split('\n');
    assert.equal(
      lines.filter((line) => line.includes('vCPU preempted by') && line.startsWith('   #')).length,
      5,
    );
    assert.ok(lines.some((line) => line.endsWith('44.4 %  3.600 ms  4 more causes, together')));
  });

  it('prints no control characters of a guest', () => {
    const evil = '\u001b[2J\u202e';
    const text = explanationText(
      explanation({
        waits: [
          {
            ...wait,
            task: evil,
            machine: evil,
            causes: [
              { ...backup, task: evil },
              { ...kernel, kind: 'guest-irq', name: evil },
            ],
          },
        ],
        thieves: [{ ...backup, guest: evil, task: evil, count: 1, worstNs: 1 }],
        clocks: { [evil]: clock },
        missing: [evil],
      }),
      80,
    );
    assert.ok(!/[\p{Cc}\p{Cf}]/u.test(text.replaceAll('\n', '')));
  });

  it('says that there are no waits', () => {
    const text = explanationText(explanation({ waits: [], waitCount: 0, thieves: [], clocks: {} }), 80);
    assert.equal(text, 'no waits\n');
  });
});

describe('verdict', () => {
  it('is not more certain than the data', () => {
    assert.match(
      verdict(withCause({ inferred: true })),
      /\(a switch of that task was not recorded and is inferred\)/,
    );
    const short = explanation({ clocks: { web: { ...clock, boundNs: 5_000_000 } } });
    assert.equal(
      verdict(short),
      'web: task nginx[812] waited 8.100 ms; that is less than twice the error of its clock (5.000 ms), so why is uncertain\n',
    );
    // that is the worst of the whole trace; at the time of the wait it was less
    const then = { ...short, waits: [{ ...wait, boundNs: 24_000 }] };
    assert.equal(verdict(then), verdict(explanation()));
    assert.match(
      verdict(withCause({ kind: 'unknown', name: 'events were lost' })),
      /something unknown: events were lost/,
    );
  });

  it('does not blame the guest for what the host may have done', () => {
    const alone = explanation({
      clocks: { web: { ...clock, method: 'none' } },
      waits: [{ ...wait, causes: [{ ...backup, kind: 'guest-task', machine: 'web' }] }],
    });
    assert.match(
      verdict(alone),
      /held its CPU 0 \(as the guest saw it; how much of this the host took is unknown\)\n/,
    );
  });

  it('tells a quota from a task', () => {
    const text = verdict(withCause({ tid: 0, task: 'swapper' }));
    assert.match(text, /its vCPU 0 was not allowed to run, though host CPU 1 was idle\nmay help: .*quota/);
  });

  it('names a vCPU of the same guest, and of another one', () => {
    const vcpu = { kind: 'other-vcpu', number: 1, task: 'make', prio: 120 } as const;
    const own = withCause({ ...vcpu, machine: 'web' });
    assert.equal(
      verdict(own),
      'web: task nginx[812] waited 8.100 ms; 7.900 ms because vCPU 1 of the same guest, running make[4411], ' +
        'held CPU 1, where its vCPU 0 was to run\n' +
        'may help: the vCPUs of this guest on different CPUs (taskset, cpuset)\n',
    );
    assert.match(
      explanationText(own, 80),
      /7\.900 ms {2}behind vCPU 1 of this guest, which ran make:4411 on host CPU 1\n/,
    );
    const other = withCause({ ...vcpu, machine: 'db' });
    assert.match(
      verdict(other),
      /because vCPU 1 of guest db, running make\[4411\].*\n.*of this guest and of db on different CPUs/,
    );
    const thieves = [{ ...backup, ...vcpu, machine: 'web', guest: 'web', count: 1, worstNs: 1 }];
    assert.match(
      explanationText(explanation({ thieves }), 80),
      /behind vCPU 1 of this guest, which ran make:4411\n/,
    );
  });

  it('sums up the waits of the task, whose main cause may be another one', () => {
    const hog: Cause = { ...backup, task: 'hog', tid: 9, prio: 120, ns: 3_000_000 };
    const waits: Wait[] = [
      wait,
      // on other CPUs, and after the vCPU slept
      ...(['preempted', 'woken-behind', 'woken-behind'] as const).map((kind, cpu) => ({
        ...wait,
        lengthNs: 3_200_000,
        causes: [{ ...hog, kind, cpu }, kernel],
      })),
      { ...wait, tid: 813, lengthNs: 100_000_000, causes: [{ ...kernel, ns: 100_000_000 }] },
    ];
    const [one, ...others] = verdict(explanation({ waits })).split('\n');
    assert.equal(`${one}\n`, verdict(explanation()).split('\n')[0] + '\n');
    assert.deepEqual(others, [
      'may help: that task on other CPUs (taskset, cpuset), as its realtime priority beats any vCPU without one',
      'web: task nginx[812] in all its 4 waits above: 17.70 ms; 9.000 ms because of host task hog[9], in 3 of them',
      "may help: CPUs of their own for the guest's vCPUs (taskset, cpuset), or a larger cpu.weight",
      '',
    ]);
    // the same remedy is given once
    const same = verdict(explanation({ waits: [wait, { ...wait }] }));
    assert.match(same, /\n.*; 15\.80 ms because of host task backup\[4411\] \(prio 49\), in 2 of them\n$/);
    assert.equal(same.match(/may help/g)?.length, 1);
  });

  it('sums up nothing that is uncertain', () => {
    const short: Wait = {
      ...wait,
      lengthNs: 1_000_000,
      causes: [
        { ...backup, ns: 900_000 },
        { ...kernel, ns: 100_000, inferred: true },
      ],
    };
    const text = (boundNs: number): string =>
      verdict(explanation({ waits: [wait, short], clocks: { web: { ...clock, boundNs } } }));
    assert.match(text(24_000), /9\.100 ms; 8\.800 ms because of host task backup.* in 2 of them\n/);
    assert.match(text(600_000), /9\.100 ms; 7\.900 ms because of host task backup.* in 1 of them\n/);
    assert.match(
      text(5_000_000),
      /9\.100 ms; 300\.0 us because of the guest's kernel, until it switched, in 2 of them \(partly inferred\)\n$/,
    );
  });

  it('has words for every cause', () => {
    for (const kind of causeKinds) {
      const cause = { ...backup, kind, number: 7, name: 'eth0', machine: 'db' } as const;
      assert.match(causeText(cause, 'web'), /\w/);
      const text = verdict(withCause(cause));
      assert.match(
        text,
        /^web: task nginx\[812\] waited 8\.100 ms; 7\.900 ms because .*\n(?:may help.*\n)?$/,
      );
      assert.ok(!/undefined|null|NaN/.test(text + causeText(cause, 'web')), text);
      const both = { ...wait, causes: [cause] };
      const all = verdict(explanation({ waits: [both, { ...both }] }))
        .split('\n')
        .find((line) => line.includes(' in all '));
      assert.match(all ?? '', /; 15\.80 ms because of \w.*\w.*, in 2 of them/);
      assert.ok(!/undefined|null|NaN/.test(all ?? ''), all);
    }
  });
});
