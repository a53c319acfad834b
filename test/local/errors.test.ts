// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type ExitCode, exitCode } from '../../src/base/failure.ts';
import { holdMachine } from './harness/machine-lock.ts';
import { inScene, type Scene } from './harness/scene.ts';
import { agentSkip } from './harness/skip.ts';

const skip = agentSkip();

const asNobody = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];

/** Runs the agent in its own mount namespace, prepared by `commands`. */
function withMounts(commands: string): string[] {
  return ['unshare', '-m', 'sh', '-c', `${commands}; exec "$0" "$@"`];
}

const withoutTracefs = withMounts(
  'umount -l /sys/kernel/debug/tracing 2>/dev/null; umount -l /sys/kernel/debug 2>/dev/null; umount -l /sys/kernel/tracing',
);
const readOnlyTracefs = withMounts('mount -o remount,bind,ro /sys/kernel/tracing');

interface Misuse {
  readonly name: string;
  /** Added after the scene's own arguments. */
  readonly args: (scene: Scene) => readonly string[];
  readonly through?: readonly string[];
  readonly code: ExitCode;
  readonly says: readonly RegExp[];
}

const misuses: readonly Misuse[] = [
  {
    name: 'a user who is not root',
    args: () => [],
    through: asNobody,
    code: exitCode.notPermitted,
    says: [/cannot read \/sys\/kernel\/.*tracing: permission denied/, /run as root/],
  },
  {
    name: 'a place without tracefs',
    args: () => ['--tracefs', '/nonexistent'],
    code: exitCode.missing,
    says: [/tracefs is not at \/nonexistent/, /mount -t tracefs nodev \/sys\/kernel\/tracing/],
  },
  {
    name: 'a machine where tracefs is not mounted',
    args: () => [],
    through: withoutTracefs,
    code: exitCode.missing,
    says: [
      /tracefs is not mounted at \/sys\/kernel\/tracing/,
      /mount -t tracefs nodev \/sys\/kernel\/tracing/,
    ],
  },
  {
    name: 'a directory without trace ports',
    args: (scene) => ['--ports-dir', join(scene.dir, 'empty'), '--instance', `${scene.instance}-new`],
    code: exitCode.missing,
    says: [
      /no trace port \(trace-path-cpu\d and so on\)/,
      /-device virtserialport,chardev=trace-path-cpu\d,name=/,
    ],
  },
  {
    name: 'no control port, without --start',
    args: (scene) => ['--control-port', 'nobody', '--instance', `${scene.instance}-new`],
    code: exitCode.missing,
    says: [/no control port nobody in/, /-device virtserialport,chardev=nobody,name=nobody/, /--start/],
  },
  {
    name: 'no control port that was named, with -o',
    args: (scene) => ['-o', '--control-port', 'nobody', '--instance', `${scene.instance}-new`],
    code: exitCode.missing,
    says: [/no control port nobody in/],
  },
  {
    name: 'an instance that cannot be made',
    args: (scene) => ['--start', '--instance', `${scene.instance}-new`],
    through: readOnlyTracefs,
    code: exitCode.notPermitted,
    says: [/cannot create trace instance .*-new: EROFS/, /run as root, with tracefs mounted read-write/],
  },
  {
    name: 'an instance name that leads elsewhere',
    args: () => ['--start', '--instance', '../escape'],
    code: exitCode.usage,
    says: [/--instance/, /\.\.\/escape/],
  },
  {
    name: 'a user that there is not',
    args: (scene) => ['--start', '--user', 'nosuchuser', '--instance', `${scene.instance}-new`],
    code: exitCode.usage,
    says: [/--user: no such user: nosuchuser/, /give an existing user/],
  },
  {
    name: 'a CPU that there is not',
    args: (scene) => ['--start', '--cpus', '0,4000', '--instance', `${scene.instance}-new`],
    code: exitCode.usage,
    says: [/this machine has no CPU 4000/, /the last one is \d+/],
  },
  ...(
    [
      ['--pipe-size', '3K'],
      ['--pipe-size', '2M'],
      ['--cpus', '3-1'],
      ['--port-name', 'trace-path'],
      ['--stop-timeout', 'soon'],
      ['--max-restarts', '-1'],
      ['--allow', 'start,fly'],
      ['--log-level', 'loud'],
      ['--config', '/nonexistent'],
    ] as const
  ).map(
    ([option, value]): Misuse => ({
      name: `${option} ${value}`,
      args: (scene) => ['--start', option, value, '--instance', `${scene.instance}-new`],
      code: exitCode.usage,
      says: [new RegExp(option)],
    }),
  ),
];

describe('trace-agent refuses with one line, and leaves nothing behind', { skip }, () => {
  holdMachine();

  it(
    'for errors that a user can fix',
    inScene(async (scene) => {
      mkdirSync(join(scene.dir, 'empty'));
      for (const { name, args, through = [], code, says } of misuses) {
        const agent = scene.start(args(scene), { through });
        const exit = await agent.exit();
        assert.equal(exit.code, code, `${name}: ${agent.stderr}`);
        assert.match(agent.stderr, /^trace-agent: [^\n]*\n$/, name);
        for (const saying of says) assert.match(agent.stderr, saying, name);
        assert.deepEqual(scene.instances, [scene.instance], name);
      }
    }),
  );
});

describe('a port that another process has open', { skip }, () => {
  holdMachine();
  /** Without this capability the kernel respects a terminal's exclusive mode: EBUSY, as for a port that is open. */
  const heeding = { through: ['setpriv', '--bounding-set', '-sys_admin'] };

  it(
    'as control port is waited for for a while, and the error names its holder',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      control.setExclusive(true);
      const agent = scene.start([], heeding);
      const busy = await agent.logged('the port held', ({ msg }) => msg.includes('is held by'));
      assert.match(busy.msg, new RegExp(`^port agent-ctl-path .* is held by .* \\(pid ${process.pid}\\)$`));
      control.setExclusive(false);
      await agent.ready();
      assert.equal((await control.order('status')).state, 'stopped');
    }),
  );

  it(
    'as trace port is waited for, and the log names its holder, while the other CPU continues',
    inScene(
      async (scene) => {
        const [taken, other] = scene.cpus;
        const control = await scene.addControlPty();
        const pty = await scene.addPty('taken');
        pty.setExclusive(true);
        symlinkSync(join(scene.dir, 'taken'), join(scene.dir, `trace-path-cpu${taken}`));
        await scene.startReady([], heeding);
        const { cpus } = await control.order('status');
        assert.equal(cpus[other]?.state, 'ready');
        assert.equal(cpus[taken]?.state, 'waiting');
        assert.match(
          cpus[taken].reason ?? '',
          new RegExp(`is held by .* \\(pid ${process.pid}\\); end it: kill ${process.pid}$`),
        );
      },
      { ports: 'second' },
    ),
  );
});
