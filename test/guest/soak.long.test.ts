// @alone it measures, and needs both cores

import { test } from 'node:test';
import { soak } from './support/soak.ts';

test('ten minutes of load with kills and pauses: nothing is lost, and nothing grows', {
  timeout: 1_800_000,
}, async () => {
  await soak({ minutes: 10, cpus: 2, say: (line) => console.log(line) });
});
