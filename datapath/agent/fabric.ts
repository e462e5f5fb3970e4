/**
 * The ways from this hypervisor to the others.
 *
 * Owns: where tunnels end here, who the others are, by which way each is reached, who takes in frames without a tunnel by now, probes of every way.
 * Promises: nothing goes without a tunnel to a hypervisor that has not had the time to hear of it.
 */
import { networkInterfaces } from 'node:os';
import type { ChassisFacts, Condition, SliceAttachment, SliceRecord } from '../../controller/messages/slice.js';
import type { LocalRecord } from '../../flows/compile/contract.js';
import type { Action } from '../../flows/openflow/action.js';
import type { Offer } from '../../flows/pipeline/pairing.js';
import type { OpenFlowChannel } from '../channel/openflow-channel.js';
import type { Endpoint } from '../ovsdb/endpoint.js';
import type { OvsdbClient } from '../ovsdb/ovsdb-client.js';
import { doubtAbout } from '../ovsdb/underlay-route.js';
import type { AgentOptions } from './agent-options.js';
import type { Clock } from './clock.js';
import type { OverlayOptions } from './endpoints.js';
import type { AgentLog } from './log.js';
import { Overlay } from './overlay.js';
import { Peers, type PeerWay } from './peers.js';
import { Prober, type ProbedWay } from './prober.js';
import { Settling } from './settling.js';

/** A hypervisor on the same L2 takes in frames without a tunnel as soon as it knows of us; it has this long to know. */
const DIRECT_SETTLES_MS = 2_000;

export interface FabricParts {
  readonly options: OverlayOptions;
  readonly bridge: string;
  /** Of OVSDB. */
  readonly endpoint: Endpoint;
  readonly datapath_type: AgentOptions['datapath_type'];
  readonly ovsdb: OvsdbClient;
  /** Whether the switch holds all that is wanted. */
  readonly isInForce: () => boolean;
  /** Number of the last revision known here. */
  readonly revision: () => number;
  /** Has the switch carry out actions on a frame. @returns false when there is no connection */
  readonly inject: (frame: Uint8Array, actions: readonly Action[]) => boolean;
  /** `records` may differ now. */
  readonly onOwn: () => void;
  /** `facts` may differ now. */
  readonly onChassis: () => void;
  /** `mtu` may differ now. */
  readonly onWays: () => void;
  /** `conditions` may differ now. */
  readonly onProgress: () => void;
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly log: AgentLog;
  readonly signal: AbortSignal;
}

export class Fabric {
  readonly #parts: FabricParts;
  readonly #overlay: Overlay;
  readonly #peers: Peers;
  readonly #settling: Settling;
  readonly #prober: Prober;
  #attachment: Pick<SliceAttachment, 'behind'> | undefined;

  constructor(parts: FabricParts) {
    const { options, bridge, endpoint, datapath_type, ovsdb, inject, onProgress, clock, random, log, signal } = parts;
    this.#parts = parts;
    this.#overlay = new Overlay({
      options,
      bridge,
      ovsdb,
      devices: networkInterfaces,
      heard: () => this.#heard(),
      behind: (revision) => this.#attachment?.behind(revision, this.#peers.audience()) ?? Promise.reject(new Error('no vnmgr is attached')),
      silent: () => this.#next().flatMap((way) => (this.#prober.hasAnswered(way) ? [] : [way.datapath_uuid])),
      isInForce: parts.isInForce,
      revision: parts.revision,
      settledPeers: () => (this.#peers.areKnown ? this.#settling.settled() : undefined),
      onChange: () => this.changed(),
      clock,
      log,
      signal,
    });
    this.#settling = new Settling({
      ms: DIRECT_SETTLES_MS,
      clock,
      signal,
      before: () => this.#overlay.settledBefore(),
      onSettled: () => this.#onSettled(),
    });
    this.#peers = new Peers(
      options.mode,
      () => this.#overlay.side(),
      () => this.#onPeers(),
    );
    this.#prober = new Prober({
      ways: () => [...this.ways(), ...this.#next()],
      send: inject,
      explain: (remote, until) => doubtAbout(remote, { endpoint, datapath_type }, until),
      periodMs: options.probePeriodMs,
      clock,
      random,
      onChange: onProgress,
    });
  }

  /** vnmgr, while it is there. */
  set attachment(attachment: Pick<SliceAttachment, 'behind'> | undefined) {
    this.#attachment = attachment;
  }

  #heard(): Offer | null | undefined {
    if (this.#attachment === undefined || !this.#peers.areKnown) return undefined;
    return this.#peers.told ?? null;
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#overlay.run(signal), this.#prober.run(signal)]);
  }

  /** The datapath this is, once its slice has said so. */
  get datapath(): string | undefined {
    return this.#overlay.side()?.datapath_uuid;
  }

  get isNumberPending(): boolean {
    return this.#overlay.isNumberPending;
  }

  facts(): ChassisFacts {
    return this.#overlay.facts();
  }

  records(datapathUuid: string): LocalRecord[] {
    return this.#overlay.records(datapathUuid);
  }

  conditions(): Condition[] {
    return [...this.#overlay.conditions(), ...this.#peers.conditions(), ...this.#prober.conditions()];
  }

  /** The largest packet that every way carries. */
  mtu(): ReturnType<Peers['mtu']> {
    return this.#peers.mtu();
  }

  /** Ways to other hypervisors that are probed. */
  ways(): ProbedWay[] {
    return this.#open(this.#peers.ways());
  }

  /** Those that are to be tried before they are gone by. */
  #next(): ProbedWay[] {
    const side = this.#overlay.next();
    return side === undefined ? [] : this.#open(this.#peers.ways(side));
  }

  #open(ways: readonly PeerWay[]): ProbedWay[] {
    return ways.flatMap(({ chassis: { datapath_uuid, node_id }, way }): ProbedWay[] => {
      const ofport = typeof way === 'string' ? undefined : this.#overlay.tunnelPort(way.encap);
      if (typeof way === 'string' || ofport === undefined) return [];
      return [{ datapath_uuid, node_id, encap: way.encap, local: way.local.address, remote: way.remote.address, ofport }];
    });
  }

  /** How many ways answer probes, and how many do not. */
  counts(): { readonly answering: number; readonly silent: number } {
    return this.#prober.counts();
  }

  /** A probe of another hypervisor, or what it answers. */
  heard(frame: Uint8Array): void {
    this.#prober.heard(frame);
  }

  /** Ways may have opened: they are probed now. */
  probe(): void {
    this.#prober.changed();
  }

  /** Before anything is sent to the switch over this connection. */
  prepare(channel: OpenFlowChannel): Promise<void> {
    return this.#overlay.mapOption(channel);
  }

  learnPorts(told: ReadonlyMap<string, number>): void {
    this.#overlay.learnPorts(told);
  }

  apply(puts: readonly SliceRecord[], deletes: readonly string[]): void {
    this.#peers.apply(puts, deletes);
  }

  /** The whole slice. */
  replace(records: readonly SliceRecord[]): void {
    this.#peers.replace(records);
  }

  /** Where tunnels end, or by which ports they leave, may differ now. */
  changed(): void {
    this.#parts.onChassis();
    this.#parts.onOwn();
    this.#onPeers();
  }

  /** To which hypervisors frames go without a tunnel differs now. */
  #onSettled(): void {
    this.#parts.onOwn();
    this.#overlay.settledPeersChanged();
  }

  /** Ways to other hypervisors may differ now. */
  #onPeers(): void {
    this.#prober.changed();
    if (this.#peers.areKnown && this.#settling.update(this.#peers.direct())) this.#onSettled();
    this.#parts.onWays();
    this.#parts.onProgress();
  }
}
