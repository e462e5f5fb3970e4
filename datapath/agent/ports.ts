/**
 * The local ports: NICs of this bridge that are bound to an interface.
 *
 * Owns: joining the NICs that OVSDB shows with the bindings of the slice; the conntrack zone of each port; telling the compiler of a port only
 * when its zone is claimed and empty, and emptying the zone after a port's flows are gone. A NIC that names an interface nobody has defined yet gets
 * its zone at once, and has it emptied, so that neither the write to OVSDB, which makes the switch look at all its ports, nor the switch is waited for later.
 * Assumes: the pipeline drops what comes from a port it does not know, so that a NIC that is not yet a local port reaches nobody.
 * Promises: a port that was live before a restart of this process is live again at once and keeps its zone and its connections. A NIC that
 * comes back, or serves another interface, starts with an empty zone. Failures are tried again until they succeed or the NIC is gone.
 */
import type { FlowDelta, LocalPort } from '../../flows/compile/contract.js';
import type { Binding } from '../../flows/model/binding.js';
import type { Vif } from '../ovsdb/vif-watcher.js';
import type { Clock } from './clock.js';
import type { AgentLog } from './log.js';
import type { Zones } from './zones.js';

/** What is kept with the NICs themselves, named by row: another NIC may be plugged in under the same name meanwhile. */
export interface VifStore {
  /** @throws when the NIC is gone */
  claimZone(rowUuid: string, zone: number, interfaceUuid: string, signal?: AbortSignal): Promise<void>;
  /** Of each of these NICs, what is installed; those that are gone are left out. */
  writeBack(installed: ReadonlyMap<string, string | null>, signal?: AbortSignal): Promise<void>;
}

export interface PortsOptions {
  readonly store: VifStore;
  readonly zones: Zones;
  /** Empties a conntrack zone; waits for a connection. Resolves without having done so only when the signal is aborted. */
  readonly flushZone: (zone: number, signal: AbortSignal) => Promise<void>;
  /** Gives local ports to the compiler and its flows to the reconciler; undefined while compiling fails. */
  readonly apply: (puts: readonly LocalPort[], deletes: readonly string[]) => FlowDelta | undefined;
  /** Resolves once the switch has the flows of `delta`. */
  readonly settled: (delta: FlowDelta, signal: AbortSignal) => Promise<void>;
  /** Number of the revision that is installed now, for whoever waits for a NIC. */
  readonly revision: () => string;
  /** A port came nearer to being live: `pendingSince` may have changed. */
  readonly onProgress: () => void;
  readonly clock: Clock;
  readonly log: AgentLog;
  readonly signal: AbortSignal;
}

/** A NIC that an interface is bound to, with its port number known. */
interface Plug {
  readonly interface_uuid: string;
  readonly vif: Vif;
  readonly ofport: number;
}

interface Port {
  readonly row_uuid: string;
  readonly port_name: string;
  readonly zone: number;
  /** As the compiler has it; undefined while it does not. */
  local: LocalPort | undefined;
}

interface Job {
  readonly kind: 'claim' | 'leave';
  readonly seq: number;
}

const RETRY_MS = 500;
const CLAIM_ATTEMPTS = 8;

export class Ports {
  readonly #options: PortsOptions;
  readonly #zones: Zones;
  /** By interface. */
  readonly #ports = new Map<string, Port>();
  /** Interfaces whose port is being prepared or taken down, with the slice message that asked for it. */
  readonly #busy = new Map<string, Job>();
  /** Those of them that are done and wait to be looked at, all together. */
  #done: string[] = [];
  /** Zones being claimed ahead, by row; what they come to is the zone, once it is empty. */
  readonly #ahead = new Map<string, Promise<number | undefined>>();
  /** Of those, the ones that are claimed and empty. */
  readonly #prepared = new Map<string, number>();
  #vifs: ReadonlyMap<string, Vif> = new Map();
  #plugs: ReadonlyMap<string, Plug> = new Map();

  constructor(options: PortsOptions) {
    this.#options = options;
    this.#zones = options.zones;
  }

  /** The oldest slice message that some port still being prepared belongs to; undefined when there is none. */
  get pendingSince(): number | undefined {
    let oldest: number | undefined;
    for (const [uuid, { kind, seq }] of this.#busy) {
      if ((kind === 'claim' || this.#plugs.has(uuid)) && (oldest === undefined || seq < oldest)) oldest = seq;
    }
    return oldest;
  }

  /** The local ports as the compiler should have them. */
  *live(): Iterable<LocalPort> {
    for (const { local } of this.#ports.values()) if (local !== undefined) yield local;
  }

  /**
   * The NICs and the bindings of this datapath as they are now.
   * @param seq the last slice message
   */
  update(vifs: ReadonlyMap<string, Vif>, bindings: Iterable<Binding>, seq: number): void {
    const plugs = new Map<string, Plug>();
    for (const { interface_uuid, port_name } of bindings) {
      const vif = vifs.get(port_name);
      if (vif !== undefined && vif.ofport !== null) plugs.set(interface_uuid, { interface_uuid, vif, ofport: vif.ofport });
    }
    this.#vifs = vifs;
    this.#plugs = plugs;
    this.#look(seq);
    this.#prepare();
  }

  /** Every message so far is from an attachment that is over; what is pending belongs to the first of the next. */
  restartSeq(): void {
    for (const [uuid, { kind }] of this.#busy) this.#busy.set(uuid, { kind, seq: 0 });
  }

  /**
   * Level-triggered: compares what is plugged with what is live, and starts what is missing.
   * @param seq the slice message that asked for it
   */
  #look(seq: number): void {
    const { apply } = this.#options;
    const puts: LocalPort[] = [];
    const gone: string[] = [];
    for (const [uuid, port] of this.#ports) {
      if (this.#busy.has(uuid)) continue;
      const plug = this.#plugs.get(uuid);
      if (plug?.vif.row_uuid !== port.row_uuid) gone.push(uuid);
      else if (port.local?.ofport !== plug.ofport) puts.push((port.local = localPort(uuid, plug.ofport, port.zone)));
    }
    const unclaimed: Plug[] = [];
    for (const [uuid, plug] of this.#plugs) {
      if (this.#ports.has(uuid) || this.#busy.has(uuid)) continue;
      const zone = this.#keptZone(plug) ?? this.#preparedZone(plug);
      if (zone === undefined) unclaimed.push(plug);
      else puts.push(this.#admit(plug, zone));
    }
    const removed = gone.map((uuid) => ({ uuid, port: this.#ports.get(uuid)! }));
    for (const { uuid } of removed) this.#ports.delete(uuid);
    if (puts.length > 0 || removed.length > 0) {
      const deletes = removed.filter(({ port }) => port.local !== undefined).map(({ port }) => port.local!.uuid);
      const delta = apply(puts, deletes);
      for (const { uuid, port } of removed) this.#run(uuid, { kind: 'leave', seq }, port.row_uuid, () => this.#leave(port, delta));
      if (delta !== undefined) this.#announce(puts, delta);
    }
    // Only now: the zones of ports that were live before are taken first.
    for (const plug of unclaimed) {
      this.#run(plug.interface_uuid, { kind: 'claim', seq }, plug.vif.row_uuid, () => this.#claim(plug));
    }
  }

  /** The zone a port had when it was live under an earlier process: its connections go on. */
  #keptZone({ interface_uuid, vif }: Plug): number | undefined {
    if (vif.ct_zone === null || vif.zone_interface !== interface_uuid || vif.installed_revision === null) return undefined;
    return this.#zones.take(vif.ct_zone, vif.row_uuid) ? vif.ct_zone : undefined;
  }

  /** The zone that was claimed ahead for just this interface: the port is live with the slice that binds it, in one compilation. */
  #preparedZone({ interface_uuid, vif }: Plug): number | undefined {
    const zone = this.#prepared.get(vif.row_uuid);
    if (zone === undefined || vif.ct_zone !== zone || vif.zone_interface !== interface_uuid || vif.installed_revision !== null)
      return undefined;
    return this.#zones.take(zone, vif.row_uuid) ? zone : undefined;
  }

  #admit({ interface_uuid, vif, ofport }: Plug, zone: number): LocalPort {
    const local = localPort(interface_uuid, ofport, zone);
    this.#ports.set(interface_uuid, { row_uuid: vif.row_uuid, port_name: vif.port_name, zone, local });
    return local;
  }

  #run(uuid: string, job: Job, row: string, work: () => Promise<void>): void {
    const { log, clock, signal } = this.#options;
    this.#busy.set(uuid, job);
    const isPointless = (): boolean => signal.aborted || (job.kind === 'claim' && this.#plugs.get(uuid)?.vif.row_uuid !== row);
    const persist = async (): Promise<void> => {
      for (let failures = 0; !isPointless(); failures++) {
        try {
          return await work();
        } catch (error) {
          if (isPointless()) return;
          if (failures === 0) log.warn({ interface: uuid, error: String(error) }, `a port cannot ${job.kind} its zone; trying again`);
          await clock.sleep(RETRY_MS, signal);
        }
      }
    };
    void persist().then(() => {
      if (this.#done.push(uuid) === 1) setImmediate(() => this.#finish());
    });
  }

  /** Ports that are ready at the same time become flows together. */
  #finish(): void {
    const done = this.#done;
    this.#done = [];
    if (this.#options.signal.aborted) return;
    let oldest = Infinity;
    for (const uuid of done) {
      oldest = Math.min(oldest, this.#busy.get(uuid)?.seq ?? Infinity);
      this.#busy.delete(uuid);
    }
    this.#look(oldest);
    this.#options.onProgress();
  }

  /** Claims zones for NICs that no interface is bound to yet but that name one. Should it fail, they get theirs when they are bound. */
  #prepare(): void {
    const bound = new Set([...this.#plugs.values()].map((plug) => plug.vif.row_uuid));
    const waiting = new Set<string>();
    for (const vif of this.#vifs.values()) {
      if (vif.iface_id === null || bound.has(vif.row_uuid)) continue;
      waiting.add(vif.row_uuid);
      if (vif.ct_zone === null && !this.#ahead.has(vif.row_uuid)) this.#ahead.set(vif.row_uuid, this.#claimAhead(vif, vif.iface_id));
    }
    for (const row of this.#ahead.keys()) if (!waiting.has(row)) this.#forgetAhead(row);
  }

  #forgetAhead(row: string): void {
    this.#ahead.delete(row);
    this.#prepared.delete(row);
  }

  async #claimAhead(vif: Vif, interfaceUuid: string): Promise<number | undefined> {
    const { store, flushZone, signal } = this.#options;
    const zone = this.#zones.pick();
    if (zone === undefined) return undefined;
    try {
      await store.claimZone(vif.row_uuid, zone, interfaceUuid, signal);
      // Nothing of a port without flows gets into its zone: empty now is empty until it is live.
      await flushZone(zone, signal);
      if (this.#zones.isShared(zone, vif.row_uuid)) return undefined;
      if (this.#ahead.has(vif.row_uuid)) this.#prepared.set(vif.row_uuid, zone);
      return zone;
    } catch {
      // Said when it matters, by the claim that follows the binding.
      return undefined;
    } finally {
      this.#zones.release(zone);
    }
  }

  async #claim({ interface_uuid, vif: seen }: Plug): Promise<void> {
    const { flushZone, signal } = this.#options;
    const empty = await this.#ahead.get(seen.row_uuid);
    const now = this.#vifs.get(seen.port_name);
    const vif = now?.row_uuid === seen.row_uuid ? now : seen;
    // Whoever waits for the NIC must not take what was installed for another interface, or before an interruption, for this.
    if (vif.installed_revision !== null) await this.#mark(new Map([[vif.row_uuid, null]]));
    const zone = await this.#claimZone(interface_uuid, vif);
    try {
      if (zone !== empty) await flushZone(zone, signal);
    } catch (error) {
      this.#zones.release(zone);
      throw error;
    }
    this.#forgetAhead(seen.row_uuid);
    this.#ports.set(interface_uuid, { row_uuid: vif.row_uuid, port_name: vif.port_name, zone, local: undefined });
  }

  async #claimZone(interfaceUuid: string, vif: Vif): Promise<number> {
    const { store, signal } = this.#options;
    for (let attempt = 1; attempt <= CLAIM_ATTEMPTS; attempt++) {
      const own = vif.ct_zone !== null && this.#zones.take(vif.ct_zone, vif.row_uuid) ? vif.ct_zone : undefined;
      if (own !== undefined && vif.zone_interface === interfaceUuid) return own;
      const zone = own ?? this.#zones.pick();
      if (zone === undefined) throw new RangeError('all 65,535 conntrack zones are taken');
      try {
        await store.claimZone(vif.row_uuid, zone, interfaceUuid, signal);
      } catch (error) {
        this.#zones.release(zone);
        throw error;
      }
      if (!this.#zones.isShared(zone, vif.row_uuid)) return zone;
      this.#zones.release(zone);
    }
    throw new RangeError('other agents of this switch keep claiming the same conntrack zones');
  }

  async #leave(port: Port, delta: FlowDelta | undefined): Promise<void> {
    const { settled, flushZone, signal } = this.#options;
    if (port.local !== undefined && delta !== undefined) await settled(delta, signal);
    await flushZone(port.zone, signal);
    // Still plugged, only bound to nothing any more.
    const isIdle = ![...this.#plugs.values()].some((plug) => plug.vif.row_uuid === port.row_uuid);
    if (isIdle) await this.#mark(new Map([[port.row_uuid, null]]));
    this.#zones.release(port.zone);
  }

  /** Writes to the NICs that their flows are in place, once they are. */
  #announce(puts: readonly LocalPort[], delta: FlowDelta): void {
    if (puts.length === 0) return;
    const { settled, revision, signal } = this.#options;
    void settled(delta, signal).then(async () => {
      const installed = new Map<string, string>();
      for (const put of puts) {
        const port = this.#ports.get(put.interface_uuid);
        // The first revision stays: it says since when, and a row rewritten at every change would wake all who watch it.
        if (port?.local === put && this.#vifs.get(port.port_name)?.installed_revision === null) installed.set(port.row_uuid, revision());
      }
      if (installed.size > 0 && !signal.aborted) await this.#mark(installed);
    });
  }

  async #mark(installed: ReadonlyMap<string, string | null>): Promise<void> {
    const { store, signal, log } = this.#options;
    try {
      await store.writeBack(installed, signal);
    } catch (error) {
      if (!signal.aborted)
        log.warn({ nics: [...installed.keys()], error: String(error) }, 'cannot write to NICs whether their flows are installed');
    }
  }
}

function localPort(interfaceUuid: string, ofport: number, zone: number): LocalPort {
  return { kind: 'local_port', uuid: `port-${interfaceUuid}`, interface_uuid: interfaceUuid, ofport, ct_zone: zone };
}
