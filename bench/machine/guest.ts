import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { bootGuest, type Guest } from '../../test/guest/harness/index.ts';
import type { Machine, ProgramName, Task } from './machine.ts';
import { executable } from './programs.ts';

const tracefs = '/sys/kernel/tracing';

/** A QEMU guest with virtio-serial ports whose host ends are FIFOs on this machine. */
export class GuestMachine implements Machine {
  readonly kind = 'guest';
  readonly cpus: readonly number[];
  readonly instance = 'bench';
  readonly tracefsDir = `${tracefs}/instances/bench`;
  readonly portsDir = '/dev/virtio-ports';
  readonly agentCommand = ['trace-agent'];
  readonly #guest: Guest;
  readonly #installed = new Map<string, string>();
  #traceCmd: readonly string[] | undefined;

  private constructor(guest: Guest, cpus: number) {
    this.#guest = guest;
    this.cpus = Array.from({ length: cpus }, (_, cpu) => cpu);
  }

  static async boot(cpus: number): Promise<GuestMachine> {
    // trace-cmd's recordings are in the guest's memory
    const guest = await bootGuest({ cpus, memoryMb: 1536 });
    const machine = new GuestMachine(guest, cpus);
    await machine.shell(`mkdir ${machine.tracefsDir}`);
    return machine;
  }

  spawn(argv: readonly string[]): Promise<Task> {
    return this.#guest.spawn(argv);
  }

  shell(script: string): Promise<string> {
    return this.#guest.check(script);
  }

  read(path: string): Promise<string> {
    return this.#guest.check(['cat', path]);
  }

  async write(path: string, text: string): Promise<void> {
    await this.#guest.check(['/bin/sh', '-c', 'cat > "$0"', path], { stdin: text });
  }

  async program(name: ProgramName): Promise<string> {
    if (name === 'markers') return 'markers';
    const path = this.#installed.get(name) ?? `/tmp/${name}`;
    if (!this.#installed.has(name)) await this.#install(executable(name), path);
    this.#installed.set(name, path);
    return path;
  }

  /** Copies this machine's trace-cmd with the libraries that its dynamic linker loads. */
  async traceCmd(): Promise<readonly string[] | undefined> {
    if (this.#traceCmd !== undefined) return this.#traceCmd;
    let path: string;
    let libraries: string;
    try {
      path = execFileSync('sh', ['-c', 'command -v trace-cmd'], { encoding: 'utf8' }).trim();
      libraries = execFileSync('ldd', [path], { encoding: 'utf8' });
    } catch {
      return undefined;
    }
    await this.#install(path, '/usr/bin/trace-cmd');
    for (const [, library = ''] of libraries.matchAll(/(?:=> )?(\/\S+) \(0x/g))
      await this.#install(library, library);
    this.#traceCmd = ['/usr/bin/trace-cmd'];
    return this.#traceCmd;
  }

  hostFifo(cpu: number): string {
    return `${this.#guest.port(`trace-path-cpu${cpu}`).path}.out`;
  }

  order(text: string): Promise<void> {
    return this.#guest.control.send(text);
  }

  close(): Promise<void> {
    return this.#guest.close();
  }

  async #install(from: string, to: string): Promise<void> {
    const there = await this.#guest.run(['test', '-e', to]);
    if (there.code === 0) return;
    await this.#guest.check(['mkdir', '-p', dirname(to)]);
    await this.#guest.writeFile(to, readFileSync(from));
    await this.#guest.check(['chmod', '755', to]);
  }
}
