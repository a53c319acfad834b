import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { exitCode } from '../../../src/base/failure.ts';
import type { TracefsFault, TracingFacts } from '../../../src/tracefs/why-no-tracefs.ts';
import { lockdownOf, mountRemedy, tracingFacts, whyNoTracefs } from '../../../src/tracefs/why-no-tracefs.ts';

const usual: TracingFacts = { knowsTracefs: true, lockdown: 'none', isRoot: true, mayMount: true };
const place = '/sys/kernel/tracing';

describe('the lockdown level', () => {
  const cases = [
    ['none integrity [confidentiality]\n', '', 'confidentiality'],
    ['none [integrity] confidentiality\n', 'lockdown=confidentiality', 'integrity'],
    ['[none] integrity confidentiality\n', '', 'none'],
    [undefined, 'quiet lockdown=confidentiality ro', 'confidentiality'],
    [undefined, 'lockdown=integrity lockdown=confidentiality', 'confidentiality'],
    [undefined, 'xlockdown=confidentiality', undefined],
    [undefined, 'lockdown=other', undefined],
    [undefined, undefined, undefined],
  ] as const;
  for (const [file, commandLine, level] of cases)
    it(`of ${JSON.stringify(file)} and ${JSON.stringify(commandLine)} is ${level}`, () => {
      assert.equal(lockdownOf(file, commandLine), level);
    });
});

describe('the reason for a missing tracefs', () => {
  const cases: [string, TracefsFault, Partial<TracingFacts>, RegExp, RegExp][] = [
    ['it is not mounted', 'absent', {}, /is not mounted/, new RegExp(mountRemedy)],
    ['the kernel has none', 'absent', { knowsTracefs: false }, /this kernel has no tracefs/, /CONFIG_FTRACE/],
    ['a container', 'absent', { mayMount: false }, /no CAP_SYS_ADMIN/, /mount it outside/],
    ['not root', 'absent', { mayMount: false, isRoot: false }, /is not mounted/, /mount it/],
    ['lockdown', 'empty', { lockdown: 'confidentiality' }, /locked down/, /without lockdown=/],
    ['a later lockdown', 'shut', { lockdown: 'confidentiality' }, /locked down/, /without lockdown=/],
    ['not lockdown', 'empty', { lockdown: 'integrity' }, /mounted but has no rings/, /dmesg/],
    ['no right', 'denied', { isRoot: false }, /^cannot read \S+: permission denied$/, /run as root/],
    ["root's lack of a right", 'denied', {}, /although this is root/, /container/],
    ['a file that is shut to root', 'shut', {}, /although this is root/, /security module/],
  ];
  for (const [name, fault, facts, message, remedy] of cases)
    it(`is reported: ${name}`, () => {
      const failure = whyNoTracefs(fault, place, { ...usual, ...facts });
      assert.match(failure.message, message);
      assert.match(failure.remedy, remedy);
      // mounting only helps if tracefs is not mounted
      if (fault !== 'absent') assert.doesNotMatch(failure.remedy, /mount -t/);
    });

  it('is not mounting while lockdown keeps tracefs empty', () => {
    const failure = whyNoTracefs('empty', place, { ...usual, lockdown: 'confidentiality' });
    assert.equal(failure.exitCode, exitCode.notPermitted);
    assert.doesNotMatch(failure.message, /not mounted/);
  });

  it("is found from this machine's kernel", () => {
    const facts = tracingFacts();
    assert.equal(facts.isRoot, process.geteuid?.() === 0);
    assert.equal(typeof facts.knowsTracefs, 'boolean');
    assert.equal(typeof facts.mayMount, 'boolean');
  });
});
