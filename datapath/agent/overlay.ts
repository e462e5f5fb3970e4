/**
 * This hypervisor's part in the overlay.
 *
 * Owns: where its tunnels end, the ports they leave by, the meaning of our Geneve option in the switch. How these are changed is Changeover's.
 * Promises: `facts` is what others are told; `records` is what the compiler is given, with the port numbers the switch has. A tunnel port that the switch does
 * not open yields no record, and says why in `conditions`.
 */
import type { NetworkInterfaceInfo } from 'node:os';
import type { ChassisFacts, Condition } from '../../controller/messages/slice.js';
import type { LocalRecord } from '../../flows/compile/contract.js';
import { encapsulation, type Encapsulation } from '../../flows/model/entities/presence.js';
import type { TlvMapping } from '../../flows/openflow/message.js';
import type { Offer, Side } from '../../flows/pipeline/pairing.js';
import type { OpenFlowChannel } from '../channel/openflow-channel.js';
import type { OvsdbClient } from '../ovsdb/ovsdb-client.js';
import { readOverlayNote } from '../ovsdb/overlay-note.js';
import { TunnelManager } from '../ovsdb/tunnel-manager.js';
import type { TunnelState } from '../ovsdb/tunnel-plan.js';
import { Changeover } from './changeover.js';
import type { Clock } from './clock.js';
import { canonical, chassisFacts, type OverlayOptions } from './endpoints.js';
import type { AgentLog } from './log.js';
import { PortNumbers } from './port-numbers.js';

export interface OverlayParts {
  readonly options: OverlayOptions;
  readonly bridge: string;
  readonly ovsdb: OvsdbClient;
  /** What vnmgr says that others are told of this hypervisor; null: there are no others. Undefined while vnmgr is away. */
  readonly heard: () => Offer | null | undefined;
  /** Of those who are told, the ones who have not installed a revision, uuids. */
  readonly behind: (revision: number) => Promise<readonly string[]>;
  /** Of those who are reached by `next`, the ones who have not answered a probe, uuids. */
  readonly silent: () => readonly string[];
  /** Whether the switch holds all that is wanted. */
  readonly isInForce: () => boolean;
  /** Number of the last revision known here. */
  readonly revision: () => number;
  /** Datapaths on the same L2 that have had the time to accept frames without a tunnel. */
  readonly settledPeers: () => readonly string[] | undefined;
  /** As os.networkInterfaces. */
  readonly devices: () => NodeJS.Dict<NetworkInterfaceInfo[]>;
  /** `facts` or `records` may differ now. */
  readonly onChange: () => void;
  readonly clock: Clock;
  readonly log: AgentLog;
  readonly signal: AbortSignal;
}

/** Carries the sender's port key. Class 0xff48 is of those for experiments (RFC 8926 §7.1); receivers that do not know it may ignore it. */
export const PORT_OPTION: TlvMapping = { option_class: 0xff48, option_type: 0x01, option_length: 4, index: 0 };

/** Asking the system for its devices takes about a millisecond, a third of what a change of one port may take. */
const DEVICES_HOLD_MS = 1_000;
const NO_DEVICES = {};

export class Overlay {
  readonly #parts: OverlayParts;
  readonly #tunnels: TunnelManager;
  readonly #changeover: Changeover;
  readonly #numbers = new PortNumbers<TunnelState>();
  #optionTrouble: string | undefined;
  #datapath: string | undefined;
  #looked: { readonly devices: object; readonly version: number } | undefined;
  #devices: { readonly at: number; readonly list: NodeJS.Dict<NetworkInterfaceInfo[]> } | undefined;

  constructor(parts: OverlayParts) {
    this.#parts = parts;
    const { bridge, ovsdb, log, onChange, heard, behind, silent, isInForce, revision, clock, signal } = parts;
    const { mac2mac, bridge_mappings, underlay } = parts.options;
    this.#changeover = new Changeover({
      isGone: (address, now) => this.#isGone(address, now),
      heard,
      behind,
      silent,
      isInForce: () => isInForce() && this.#areOpen(),
      revision,
      onChange: () => {
        onChange();
        this.#tunnels.look();
      },
      clock,
      log,
      signal,
    });
    this.#tunnels = new TunnelManager(ovsdb, {
      bridge,
      log,
      onChange,
      wanted: () => this.#taken().encaps,
      keepsPatches: () => !this.#changeover.isOver,
      note: () => this.#changeover.note,
      underlay: mac2mac ? bridge_mappings[underlay] : undefined,
      direct: parts.settledPeers,
    });
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#tunnels.run(signal);
  }

  /** What `settledPeers` gives differs now. */
  settledPeersChanged(): void {
    this.#tunnels.look();
  }

  /** What `settledPeers` gave to the process before this one. */
  settledBefore(): readonly string[] {
    return this.#tunnels.patch?.direct ?? [];
  }

  facts(): ChassisFacts {
    const { options, ovsdb, bridge } = this.#parts;
    const { tables, version } = ovsdb;
    const devices = this.#devicesNow();
    if (tables === undefined) return chassisFacts(options, undefined, devices);
    if (this.#looked?.devices !== devices || this.#looked.version !== version) {
      this.#looked = { devices, version };
      this.#changeover.look(chassisFacts(options, tables, devices), readOverlayNote(tables, bridge));
    }
    return this.#changeover.told;
  }

  /** What packets leave by. */
  #used(): Offer {
    const facts = this.facts();
    return this.#looked === undefined ? facts : this.#changeover.used;
  }

  /** What packets are taken in by. */
  #taken(): Offer {
    const used = this.#used();
    return this.#changeover.taken ?? used;
  }

  #devicesNow(): NodeJS.Dict<NetworkInterfaceInfo[]> {
    const { addresses, bridge_mappings, underlay } = this.#parts.options;
    if (addresses !== null || bridge_mappings[underlay] === undefined) return NO_DEVICES;
    const now = this.#parts.clock.now();
    if (this.#devices === undefined || now - this.#devices.at >= DEVICES_HOLD_MS) this.#devices = { at: now, list: this.#parts.devices() };
    return this.#devices.list;
  }

  records(datapathUuid: string): LocalRecord[] {
    this.#datapath = datapathUuid;
    const used = this.#used();
    const { taken } = this.#changeover;
    const here: LocalRecord = {
      kind: 'here',
      uuid: 'here',
      datapath_uuid: datapathUuid,
      ...used,
      ...(taken === undefined ? {} : { accepts: taken }),
      overlay_mode: this.#parts.options.mode,
      settled_peers: this.#parts.settledPeers() ?? [],
    };
    const ports = [...this.#numbers.correct(this.#ports())].flatMap(([what, { ofport }]): LocalRecord[] => {
      if (ofport === null) return [];
      const isTunnel = encapsulation.safeParse(what);
      if (!isTunnel.success) return [{ kind: 'underlay_port', uuid: what, ofport }];
      return [{ kind: 'tunnel_port', uuid: tunnelUuid(isTunnel.data), encap: isTunnel.data, ofport }];
    });
    return [here, ...ports];
  }

  /** The number of the port tunnels of an encapsulation leave by; undefined until the switch has opened it. */
  tunnelPort(encap: Encapsulation): number | undefined {
    return this.#numbers.correct(this.#ports()).get(encap)?.ofport ?? undefined;
  }

  /** This end of every pair; undefined until the datapath is known. */
  side(): Side | undefined {
    return this.#datapath === undefined ? undefined : { datapath_uuid: this.#datapath, ...this.#used() };
  }

  /** This end of every pair, as it will be, when that is to be tried. */
  next(): Side | undefined {
    const { next } = this.#changeover;
    return next === undefined || this.#datapath === undefined ? undefined : { datapath_uuid: this.#datapath, ...next };
  }

  /** Where this process sees the addresses of the host at all, it sees those that are offered. */
  #isGone(address: string, { endpoints }: Offer): boolean {
    const { options, devices } = this.#parts;
    const isOffered = endpoints.some((end) => end.address === address);
    if (isOffered || options.addresses === null) return !isOffered;
    const seen = new Set(Object.values(devices()).flatMap((infos = []) => infos.map((info) => canonical(info.address))));
    return endpoints.some((end) => seen.has(end.address)) && !seen.has(address);
  }

  /** What of this hypervisor keeps tunnels from working. */
  conditions(): Condition[] {
    const troubles: string[] = [];
    if (this.#tunnels.error !== null) troubles.push(`tunnel ports cannot be made: ${this.#tunnels.error}`);
    for (const { port_name, error } of this.#tunnels.states.values())
      if (error !== null) troubles.push(`tunnel port ${port_name}: ${error}`);
    const { mac2mac, underlay, bridge_mappings } = this.#parts.options;
    if (mac2mac && this.facts().endpoints.every(({ mac }) => mac === null))
      troubles.push(
        `overlay.mac2mac: bridge_mappings names no bridge of ${underlay} that is there: ${bridge_mappings[underlay] ?? 'none'}`,
      );
    if (this.#optionTrouble !== undefined) troubles.push(this.#optionTrouble);
    return [...troubles.map((message) => ({ code: 'no_tunnel_port', message, uuids: [] })), ...this.#changeover.conditions()];
  }

  /** @param told by name, the ports the switch has now */
  learnPorts(told: ReadonlyMap<string, number>): void {
    this.#numbers.learn(this.#ports(), told);
  }

  /** Whether there is a port for each encapsulation that packets are taken in by, as far as the switch opens one. */
  #areOpen(): boolean {
    const { states } = this.#tunnels;
    return this.#taken().encaps.every((encap) => states.get(encap)?.ofport != null || states.get(encap)?.error != null);
  }

  /** By encapsulation, `underlay`, or `underlay-` and the name of a port to an underlay that was given up. */
  #ports(): Map<string, TunnelState> {
    const { states, patch, oldPatches } = this.#tunnels;
    const old = oldPatches.map((state) => [`underlay-${state.port_name}`, state] as const);
    return new Map<string, TunnelState>([...states, ...(patch === undefined ? [] : [['underlay', patch] as const]), ...old]);
  }

  get isNumberPending(): boolean {
    return this.#numbers.arePending;
  }

  /** Makes sure that the switch knows our Geneve option: flows that name it are refused otherwise. */
  async mapOption(channel: OpenFlowChannel): Promise<void> {
    if (!this.#taken().encaps.includes('geneve')) return;
    const { mappings } = await channel.connection.request({ kind: 'tlv_table_request' });
    const own = mappings.find(({ index }) => index === PORT_OPTION.index);
    this.#optionTrouble = undefined;
    if (own === undefined) await channel.connection.transact([{ kind: 'tlv_table_mod', command: 'add', mappings: [PORT_OPTION] }]);
    else if (own.option_class !== PORT_OPTION.option_class || own.option_type !== PORT_OPTION.option_type || own.option_length !== 4) {
      const name = (value: number) => `0x${value.toString(16)}`;
      this.#optionTrouble = `tun_metadata${own.index} means another Geneve option on this bridge: class ${name(own.option_class)} type ${name(own.option_type)}`;
    }
  }
}

function tunnelUuid(encap: Encapsulation): string {
  return `tunnel-${encap}`;
}
