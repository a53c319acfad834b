// @alone it measures

import { describe, test } from 'node:test';
import { holdMachine } from '../local/harness/machine-lock.ts';
import { agentSkip } from '../local/harness/skip.ts';
import {
  assertNamed,
  db,
  type Fault,
  guestHog,
  hostHog,
  otherGuest,
  pause,
  tried,
  type Victim,
  web,
} from './explain/faults.ts';
import { Stage } from './explain/stage.ts';
import { shareGuest } from './support/share-guest.ts';

holdMachine();

const seconds = 5;
const hostCpu = 1;

interface Case {
  readonly name: string;
  readonly guests: readonly string[];
  readonly fault: (stage: Stage) => Promise<Fault>;
  readonly victims: readonly Victim[];
}

const both: readonly Victim[] = ['spinner', 'probe'];
/** The guest's clock stands still in a pause, so no timer of it is late then. */
const cases: readonly Case[] = [
  { name: 'a host task', guests: [web], fault: () => hostHog(hostCpu), victims: both },
  { name: 'a pause', guests: [web], fault: pause, victims: ['spinner'] },
  { name: 'a task of the same guest', guests: [web], fault: guestHog, victims: both },
  { name: 'a task of another guest', guests: [web, db], fault: otherGuest, victims: ['spinner'] },
];

for (const { name, guests, fault, victims } of cases)
  describe(`time that ${name} takes from a real guest`, { skip: agentSkip(), timeout: 600_000 }, () => {
    let stage: Stage;
    shareGuest(
      () => Stage.restore(guests, hostCpu),
      (shared) => (stage = shared),
    );

    for (const victim of victims)
      test(`is named in the waits of a ${victim}`, async (context) => {
        const trial = await tried(stage, () => fault(stage), victim, seconds);
        try {
          context.diagnostic(trial.line);
          assertNamed(trial);
        } finally {
          await trial.recording.close();
        }
      });
  });
