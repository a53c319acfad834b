import { exitCode, Failure } from '../../../base/failure.ts';
import type { ApplyTo, SetupOptions } from '../../../host/setup/options.ts';
import type { Given } from './given.ts';
import { setupSettings } from './setup-settings.ts';

/** Throws Failure (usage). */
export function readSetup(given: Given): SetupOptions {
  const applyTo = readApplyTo(given);
  const remove = given.flag('remove');
  const options = {
    location: given.location(),
    cpus: given.get(setupSettings.cpus),
    chardev: given.get(setupSettings.chardev),
    transport: given.get(setupSettings.transport),
    group: given.get(setupSettings.group),
    format: given.get(setupSettings.format) ?? (applyTo === undefined ? 'qemu' : undefined),
    applyTo,
    remove,
  };
  if (!remove) return options;
  for (const name of ['cpus', 'chardev', 'transport', 'group', 'format'] as const) {
    if (given.get<unknown>(setupSettings[name]) === undefined) continue;
    throw new Failure(exitCode.usage, `--remove conflicts with --${name}`, 'omit one of the two options');
  }
  return options;
}

function readApplyTo(given: Given): ApplyTo | undefined {
  const socket = given.get(setupSettings.qmp);
  const domain = given.get(setupSettings.domain);
  const named = socket ?? domain;
  if (!given.flag('apply')) {
    if (named === undefined) return undefined;
    throw new Failure(
      exitCode.usage,
      `--${socket === undefined ? 'domain' : 'qmp'} only works with --apply`,
      'add --apply',
    );
  }
  if (socket !== undefined && domain !== undefined)
    throw new Failure(exitCode.usage, '--qmp conflicts with --domain', 'use one of them');
  if (socket !== undefined) return { kind: 'qmp', socket };
  if (domain !== undefined) return { kind: 'domain', domain };
  throw new Failure(exitCode.usage, '--apply needs to know the guest', 'add --qmp SOCKET or --domain NAME');
}
