import type { CpuProgress, RecordRequest } from './contract.ts';
import type { GuestAccount } from './guest-account.ts';
import type { GuestPorts } from './guest-ports.ts';
import type { MetadataFetch } from './metadata-fetch.ts';
import { RecordedFiles } from './recorded-files.ts';

/** The sets of one machine's recording, one after the other; usually there is one. */
export class RecordedSets {
  readonly #request: RecordRequest;
  readonly #ports: GuestPorts;
  readonly #account: GuestAccount;
  readonly #metadata: MetadataFetch;
  #current: RecordedFiles;
  /** Prepared, and not begun. */
  #next: RecordedFiles | undefined;
  #before: RecordedFiles | undefined;
  /** Events in the files of earlier sets, by CPU; undefined if one of them is not complete. */
  #writtenEvents: Map<number, number> | undefined = new Map();

  constructor(request: RecordRequest, ports: GuestPorts, account: GuestAccount, metadata: MetadataFetch) {
    this.#request = request;
    this.#ports = ports;
    this.#account = account;
    this.#metadata = metadata;
    this.#current = new RecordedFiles(request, account, request.partOf(request.firstSet));
  }

  get current(): RecordedFiles {
    return this.#current;
  }

  /** The set before while something is still added to it, then the current one. */
  get open(): readonly RecordedFiles[] {
    return this.#before === undefined ? [this.#current] : [this.#before, this.#current];
  }

  /** What the files of the current set have. */
  get progress(): readonly CpuProgress[] {
    const { progress } = this.#current;
    if (!this.#request.rotates) return progress;
    return progress.map((each) => ({ ...each, readEvents: this.#unwrittenEvents(each.cpu) }));
  }

  /** Like `progress`, of all sets together. */
  get progressOfAll(): readonly CpuProgress[] {
    return this.#current.progress.map((each) => {
      const receivedBytes = this.#ports.receivedBytes(each.cpu);
      const overrun = this.#account.overrun(each.cpu);
      return this.#request.rotates ? { ...each, receivedBytes, keptBytes: receivedBytes, overrun } : each;
    });
  }

  /** Whether a set can begin. While pages of an earlier trace arrive, it is unknown where a page begins. */
  get canChange(): boolean {
    const { cpus } = this.#request.machine;
    return cpus.every((cpu) => this.#ports.receivedBytes(cpu) >= this.#account.earlierBytes(cpu));
  }

  /** Creates the directory and the files of another set. @throws Failure; then nothing has changed */
  prepare(set: number, packed: Uint8Array): void {
    const request = this.#request;
    const next = new RecordedFiles(request, this.#account, request.partOf(set), this.#current.handOn());
    next.createDir();
    try {
      this.#metadata.copyInstance(next.dir);
      next.begin(packed, request.machine.cpus);
    } catch (cause) {
      next.discard();
      throw cause;
    }
    this.#next = next;
    this.#current.copyParts(next, (cpu) => this.#partOfPage(cpu));
  }

  /** Removes a set that was prepared and not begun. */
  cancel(): void {
    this.#next?.closeFiles();
    this.#next?.discard();
    this.#next = undefined;
  }

  /**
   * Begins the prepared set; call it at once after `prepare`, before more data arrives. Pages of which a part had arrived
   * are in it. The set before stays open until `endBefore`.
   * @returns the set before, which gets no more pages
   */
  begin(): RecordedFiles {
    const next = this.#next;
    if (next === undefined) throw new Error('begin called before prepare');
    const before = this.#current;
    before.dropParts((cpu) => this.#partOfPage(cpu));
    this.#ports.changeFiles(next.files);
    before.endCounts();
    before.closeFiles();
    [this.#before, this.#current, this.#next] = [before, next, undefined];
    return before;
  }

  /** Nothing more is added to the set before. */
  endBefore(): void {
    this.#before = undefined;
  }

  /** Takes the events of a finished set into account. @param events by CPU; undefined if it is not complete */
  wrote(events: ReadonlyMap<number, number> | undefined): void {
    if (events === undefined) this.#writtenEvents = undefined;
    else
      for (const [cpu, count] of events)
        this.#writtenEvents?.set(cpu, (this.#writtenEvents.get(cpu) ?? 0) + count);
  }

  /** Events of the last set, by the kernel's count; undefined if unknown. */
  #unwrittenEvents(cpu: number): number | undefined {
    const read = this.#account.readEvents(cpu);
    if (read === undefined || this.#writtenEvents === undefined) return undefined;
    return read - (this.#writtenEvents.get(cpu) ?? 0);
  }

  /** Bytes of a page that has not arrived whole. */
  #partOfPage(cpu: number): number {
    const { pageBytes } = this.#account.started ?? {};
    if (pageBytes === undefined) throw new Error('there are no sets before the start');
    return (this.#ports.receivedBytes(cpu) - this.#account.earlierBytes(cpu)) % pageBytes;
  }
}
