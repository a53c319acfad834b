// @alone this machine's tracefs

import { after, before, describe, test } from 'node:test';
import { holdMachine } from '../local/harness/machine-lock.ts';
import { agentSkip } from '../local/harness/skip.ts';
import { assertNamed, hostHog, tried, web } from './explain/faults.ts';
import { Stage } from './explain/stage.ts';

const hostCpu = 1;

describe('trace-host explain of a real guest', { skip: agentSkip(), timeout: 300_000 }, () => {
  holdMachine();
  let stage: Stage;
  before(async () => {
    stage = await Stage.restore([web], hostCpu);
  });
  after(() => stage.close());

  test("names a host task that takes the guest's CPU", async (context) => {
    const trial = await tried(stage, () => hostHog(hostCpu), 'spinner', 2);
    try {
      context.diagnostic(trial.line);
      assertNamed(trial);
    } finally {
      await trial.recording.close();
    }
  });
});
