// @alone it measures

import { after, before, describe, test } from 'node:test';
import { holdMachine } from '../local/harness/machine-lock.ts';
import { agentSkip } from '../local/harness/skip.ts';
import {
  assertNamed,
  type Fault,
  guestHog,
  hostHog,
  pause,
  tried,
  type Victim,
  web,
} from './explain/faults.ts';
import { Stage } from './explain/stage.ts';

const seconds = 5;
const hostCpu = 1;

interface Case {
  readonly name: string;
  readonly fault: (stage: Stage) => Promise<Fault>;
  readonly victims: readonly Victim[];
}

/** The guest's clock stands still in a pause, so no timer of it is late then. */
const cases: readonly Case[] = [
  { name: 'a host task', fault: () => hostHog(hostCpu), victims: ['spinner'] },
  { name: 'a pause', fault: pause, victims: ['spinner'] },
  { name: 'a task of the same guest', fault: guestHog, victims: ['spinner', 'probe'] },
];

describe('what takes the time of a real guest', { skip: agentSkip(), timeout: 1_200_000 }, () => {
  holdMachine();
  let stage: Stage;
  before(async () => {
    stage = await Stage.restore([web], hostCpu);
  });
  after(() => stage.close());

  for (const { name, fault, victims } of cases)
    for (const victim of victims)
      test(`${name}, from a ${victim}`, async (context) => {
        const trial = await tried(stage, () => fault(stage), victim, seconds);
        try {
          context.diagnostic(trial.line);
          assertNamed(trial);
        } finally {
          await trial.recording.close();
        }
      });
});
