/**
 * vnmgr reduced to what an agent sees of it: a slice that a test changes, and bindings for the NICs that are reported.
 */
import type {
  AppliedReport,
  DatapathHello,
  FlowProvider,
  SliceAcceptor,
  SliceAttachment,
  SliceMessage,
  SliceRecord,
  SliceSource,
  VifObservation,
} from '../../../controller/messages/slice.js';
import type { Binding } from '../../../flows/model/binding.js';
import type { Entity } from '../../../flows/model/entities.js';

const DATAPATH = 'dp-test';

export class ScriptedSource implements SliceSource {
  readonly hellos: DatapathHello[] = [];
  readonly reports: AppliedReport[] = [];
  readonly vifs: (readonly VifObservation[])[] = [];
  flows: FlowProvider | undefined;
  acceptSlice: SliceAcceptor | undefined;
  seq = 0;
  incarnation = 'test';
  readonly #entities = new Map<string, Entity>();
  readonly #waiting = new Set<() => void>();
  #bindings = new Map<string, Binding>();
  #send: ((message: SliceMessage) => void) | undefined;
  #detach: () => void = () => undefined;

  get report(): AppliedReport | undefined {
    return this.reports.at(-1);
  }

  attach(hello: DatapathHello, onMessage: (message: SliceMessage) => void): Promise<SliceAttachment> {
    this.hellos.push(hello);
    this.seq = 0;
    this.#bindings = this.#bind(hello.vifs);
    this.#send = onMessage;
    const closed = new Promise<void>((resolve) => (this.#detach = resolve));
    setImmediate(() => this.snapshot());
    return Promise.resolve({
      datapath_uuid: DATAPATH,
      reportVifs: (vifs) => this.#onVifs(vifs),
      reportChassis: () => undefined,
      reportApplied: (report) => {
        this.reports.push(report);
        for (const check of this.#waiting) check();
      },
      relist: () => setImmediate(() => this.snapshot()),
      holdGateway: () => Promise.resolve(true),
      behind: () => Promise.resolve([]),
      serveFlows: (provider) => (this.flows = provider),
      serveAcceptance: (acceptor) => (this.acceptSlice = acceptor),
      serveChecks: () => undefined,
      serveLive: () => undefined,
      closed,
    });
  }

  /** Ends the attachment, as when the datapath is deleted or vnmgr restarts. */
  detach(): void {
    this.#send = undefined;
    this.#detach();
  }

  snapshot(): void {
    this.#send?.({ kind: 'snapshot', ...this.#header(), entities: [...this.#entities.values(), ...this.#bindings.values()] });
  }

  /** The store was emptied: what is left comes as a snapshot of another incarnation. */
  restart(...records: Entity[]): void {
    this.incarnation += '+';
    this.#entities.clear();
    this.#bindings = new Map();
    for (const record of records) this.#entities.set(record.uuid, record);
    this.snapshot();
  }

  /** Loses the next message on the way. */
  lose(...records: Entity[]): void {
    for (const record of records) this.#entities.set(record.uuid, record);
    this.seq++;
  }

  put(...records: Entity[]): void {
    this.change(records, []);
  }

  delete(...uuids: string[]): void {
    this.change([], uuids);
  }

  change(puts: readonly Entity[], deletes: readonly string[]): void {
    for (const uuid of deletes) this.#entities.delete(uuid);
    for (const record of puts) this.#entities.set(record.uuid, record);
    const before = this.#bindings;
    this.#bindings = this.#bind(this.vifs.at(-1) ?? this.hellos.at(-1)?.vifs ?? []);
    this.#delta(puts, deletes, before);
  }

  /** Resolves with the report that says that everything sent so far is applied. */
  applied(timeoutMs = 5_000): Promise<AppliedReport> {
    const { seq } = this;
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const { report } = this;
        if (report?.applied_seq === null || report === undefined || report.applied_seq < seq || !report.connected) return;
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve(report);
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(check);
        reject(new Error(`seq ${seq} is not applied; last report: ${JSON.stringify(this.report)}`));
      }, timeoutMs);
      this.#waiting.add(check);
      check();
    });
  }

  #onVifs(vifs: readonly VifObservation[]): void {
    this.vifs.push(vifs);
    const before = this.#bindings;
    this.#bindings = this.#bind(vifs);
    this.#delta([], [], before);
  }

  #bind(vifs: readonly VifObservation[]): Map<string, Binding> {
    const bindings = new Map<string, Binding>();
    for (const { port_name, iface_id } of vifs) {
      if (iface_id === null || !this.#entities.has(iface_id)) continue;
      const uuid = `bind-${iface_id}`;
      bindings.set(uuid, { kind: 'binding', uuid, interface_uuid: iface_id, datapath_uuid: DATAPATH, port_name });
    }
    return bindings;
  }

  #delta(puts: readonly SliceRecord[], deletes: readonly string[], before: ReadonlyMap<string, Binding>): void {
    const bound = [...this.#bindings.values()].filter((binding) => before.get(binding.uuid)?.port_name !== binding.port_name);
    const unbound = [...before.keys()].filter((uuid) => !this.#bindings.has(uuid));
    if (puts.length + deletes.length + bound.length + unbound.length === 0) return;
    this.#send?.({ kind: 'delta', ...this.#header(), puts: [...puts, ...bound], deletes: [...deletes, ...unbound] });
  }

  #header(): { schema_version: number; datapath_uuid: string; seq: number; revision: { incarnation: string; number: number } } {
    this.seq++;
    return {
      schema_version: 1,
      datapath_uuid: DATAPATH,
      seq: this.seq,
      revision: { incarnation: this.incarnation, number: 1_000 + this.seq },
    };
  }
}
