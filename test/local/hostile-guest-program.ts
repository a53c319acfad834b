/** `node hostile-guest-program.js DIR SCENARIO`: a hostile guest at the FIFOs of a guest's directory. */
import { writeSync } from 'node:fs';
import { HostileAgent } from './hostile-guest-agent.ts';
import { loneScenarios, scenarios } from './hostile-guest-scenarios.ts';

const [dir = '', name = ''] = process.argv.slice(2);
const agent = new HostileAgent(dir);
await { ...scenarios, ...loneScenarios }[name]!(agent);
writeSync(1, 'ready\n');
