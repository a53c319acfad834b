import type { Machine } from './machine.ts';

/** An agent on more CPUs than the machine has. */
export interface ManyCpus {
  /** Says `mounted` on stdout, then is the agent. */
  readonly command: readonly string[];
  /** After the agent's end. */
  remove(): Promise<void>;
}

/**
 * For measures of memory and start: an agent, unchanged, that finds `count` CPUs. In a mount namespace of its own
 * tracefs is mounted once more, with directories of rings over those of the top level and of the instance: their
 * many names lead to the few rings of the real instance. The CPUs beyond the real ones are offline to it, so their
 * workers run anywhere. Ports are FIFOs that nobody reads.
 */
export async function manyCpus(machine: Machine, count: number): Promise<ManyCpus> {
  const dir = (await machine.shell('mktemp -d')).trim();
  const rings = Array.from({ length: count }, (_, cpu) => {
    const real = machine.cpus[cpu % machine.cpus.length] ?? 0;
    return `ln -s ${machine.tracefsDir}/per_cpu/cpu${real} ${dir}/per_cpu/cpu${cpu}`;
  });
  const fifos = Array.from({ length: count }, (_, cpu) => `${dir}/ports/trace-path-cpu${cpu}`).join(' ');
  await machine.shell(`cd ${dir} && mkdir tracefs per_cpu ports && ${rings.join(' && ')} && mkfifo ${fifos}`);
  const mounts =
    'set -e; cd "$0"; instance=$1; shift; mount -t tracefs none tracefs; ' +
    'mount --bind per_cpu tracefs/per_cpu; mount --bind per_cpu "tracefs/instances/$instance/per_cpu"; ' +
    'echo mounted; exec "$@"';
  const place = ['--tracefs', `${dir}/tracefs`, '--instance', machine.instance, '--cpus', `0-${count - 1}`];
  const ports = ['--ports-dir', `${dir}/ports`, '--stop-timeout', '1s'];
  const agent = [...machine.agentCommand, ...place, ...ports, '--log-format', 'json', '--start'];
  return {
    command: ['unshare', '--mount', 'sh', '-c', mounts, dir, machine.instance, ...agent],
    remove: async () => {
      await machine.shell(`rm -r ${dir}`);
    },
  };
}
