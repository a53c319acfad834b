import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { readKvmTsc } from '../../../../src/host/clocks/kvm-tsc.ts';
import { scratchDir } from '../guest-dir/scratch.ts';

type Files = Readonly<Record<string, string>>;

/** A debugfs with the directory of one machine. */
function debugfs(test: TestContext, machine: string, cpus: readonly Files[]): string {
  const root = scratchDir(test);
  mkdirSync(join(root, 'kvm', machine), { recursive: true });
  writeFileSync(join(root, 'kvm', machine, 'exits'), '7\n');
  for (const [cpu, files] of cpus.entries()) {
    mkdirSync(join(root, 'kvm', machine, `vcpu${cpu}`));
    for (const [name, text] of Object.entries(files))
      writeFileSync(join(root, 'kvm', machine, `vcpu${cpu}`, name), text);
  }
  return root;
}

const why = (root: string, pid = 41): string => {
  const tsc = readKvmTsc(pid, root);
  return tsc.kind === 'unknown' ? tsc.why : '';
};

describe('the TSC of a guest in debugfs', () => {
  const plain = { 'tsc-offset': '-9223372036854775808\n', pid: '42\n' };
  const scaled = {
    'tsc-offset': '-1234567\n',
    'tsc-scaling-ratio': '281474976710656\n',
    'tsc-scaling-ratio-frac-bits': '48\n',
  };

  it('is that of the machine of one QEMU', (test) => {
    const root = debugfs(test, '41-12', [plain, plain]);
    mkdirSync(join(root, 'kvm', '4-12'));
    mkdirSync(join(root, 'kvm', '410-1'));
    const tsc = { offset: '-9223372036854775808', ratio: null, fractionBits: null };
    assert.deepEqual(readKvmTsc(41, root), { kind: 'known', tsc });
    assert.match(why(root, 1), /pid 1\): KVM does not run it$/);
    assert.match(why(root, 410), /no readable tsc-offset$/);
  });

  it('may be scaled', (test) => {
    const tsc = { offset: '-1234567', ratio: '281474976710656', fractionBits: 48 };
    assert.deepEqual(readKvmTsc(41, debugfs(test, '41-12', [scaled])), { kind: 'known', tsc });
  });

  it('is unknown if the CPUs differ, or a file is missing or odd', (test) => {
    const other = { ...plain, 'tsc-offset': '5\n' };
    assert.equal(why(debugfs(test, '41-12', [plain, other])), 'the TSCs of its CPUs differ');
    assert.equal(
      why(debugfs(test, '41-12', [scaled, { ...scaled, 'tsc-scaling-ratio': '1\n' }])),
      'the TSCs of its CPUs differ',
    );
    for (const odd of [
      {},
      { 'tsc-offset': 'x\n' },
      { ...plain, 'tsc-scaling-ratio': '5\n' },
      { ...scaled, 'tsc-scaling-ratio': '0\n' },
      { ...scaled, 'tsc-scaling-ratio-frac-bits': '64\n' },
    ])
      assert.match(why(debugfs(test, '41-12', [plain, odd])), /no readable tsc-offset$/, JSON.stringify(odd));
  });

  it('is unknown without debugfs', (test) => {
    assert.match(why(scratchDir(test)), /: debugfs is not mounted, or KVM is not loaded$/);
  });
});
