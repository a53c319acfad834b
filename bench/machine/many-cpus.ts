import type { Machine } from './machine.ts';

/** An agent on more CPUs than the machine has. */
export interface ManyCpus {
  /** Prints `mounted`, then runs the agent. */
  readonly command: readonly string[];
  /** Call after the agent's end. */
  remove(): Promise<void>;
}

/**
 * Makes an unmodified agent find `count` CPUs, to measure memory and startup. In its own mount namespace tracefs is
 * mounted again, with a `per_cpu` directory bind-mounted over those of the top level and of the instance, in which
 * `count` symbolic links point to the few rings of the real instance. The additional CPUs are offline for the agent, so
 * their workers run on any CPU. Ports are FIFOs that nobody reads.
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
