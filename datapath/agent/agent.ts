/**
 * vna for one bridge.
 *
 * Owns: the parts and how they meet: OVSDB keeps the bridge and shows the NICs; vnmgr sends the slice; slice and local ports are compiled;
 * the reconciler brings the flows to the switch over one connection, and punts are answered over another; what is installed is reported back.
 * Assumes: one agent per bridge.
 * Promises: until the first complete slice the switch is not touched. Whatever is lost, vnmgr, OVSDB or a connection, what is installed stays and
 * keeps forwarding; the agent comes back by itself. Stopping leaves all flows in place.
 */
import { setMaxListeners } from 'node:events';
import { networkInterfaces } from 'node:os';
import type { AppliedReport, DatapathHello, SliceAttachment, SliceSource, VifObservation } from '../../controller/messages/slice.js';
import type { TracerouteMode } from '../../flows/model/entities/routing.js';
import { createCompiler } from '../../flows/compile/compiler.js';
import type { DropReason } from '../../flows/pipeline/tables.js';
import { connectChannel } from '../channel/connect.js';
import { ChannelError } from '../channel/errors.js';
import type { OpenFlowChannel } from '../channel/openflow-channel.js';
import { BridgeManager } from '../ovsdb/bridge-manager.js';
import { deriveDatapathId } from '../ovsdb/bridge-plan.js';
import { parseEndpoint } from '../ovsdb/endpoint.js';
import { OvsdbClient } from '../ovsdb/ovsdb-client.js';
import { readZones, VifWatcher, type Vif, type VifChange } from '../ovsdb/vif-watcher.js';
import { PolicyLog } from '../respond/policy-log.js';
import { Dispatcher } from '../respond/dispatcher.js';
import { SliceContext } from '../respond/slice-context.js';
import { Advertiser } from './advertising.js';
import { systemClock, type Clock } from './clock.js';
import { CurrentChannel } from './current-channel.js';
import { Desired } from './desired.js';
import { NO_OVERLAY, type OverlayOptions } from './endpoints.js';
import { readDrops, type FlowCount } from './flow-counters.js';
import { holdConnection } from './hold-connection.js';
import { listFlows } from './inspect.js';
import type { AgentLog } from './log.js';
import { Overlay } from './overlay.js';
import { Peers } from './peers.js';
import { PortNumbers } from './port-numbers.js';
import { Ports } from './ports.js';
import { Punts, type PuntCounters } from './punts.js';
import { Reconciler, type ReconcilerCounters } from './reconciler.js';
import { Settling } from './settling.js';
import type { SliceFile } from './slice-file.js';
import { SliceFollower } from './slice-follower.js';
import type { SliceChange } from './slice-intake.js';
import { SliceKeeper } from './slice-keeper.js';
import { unlessAborted } from './unless-aborted.js';

export interface AgentOptions {
  readonly sliceSource: SliceSource;
  readonly node_id: string;
  /** 16 hex digits; null: made from node_id and bridge. */
  readonly datapath_id?: string | null;
  readonly bridge: string;
  readonly datapath_type: 'system' | 'netdev';
  /** `unix:PATH` or `tcp:HOST:PORT`. */
  readonly ovsdb: string;
  /** The bridge's OpenFlow target, `unix:PATH` or `tcp:HOST:PORT`; null where it follows from `ovsdb`. */
  readonly openflow: string | null;
  /** Default: there is no other hypervisor. */
  readonly overlay?: OverlayOptions;
  /** Where the last slice is kept, for a start without vnmgr; default: nowhere. */
  readonly sliceFile?: SliceFile;
  readonly auditPeriodMs: number;
  /** Bytes, for networks without an MTU of their own. */
  readonly default_mtu: number;
  /** Of virtual routers that have no mode of their own; virtual-hops unless told. */
  readonly traceroute?: TracerouteMode;
  /** Seconds. */
  readonly dhcp_lease_time: number;
  readonly log: AgentLog;
  readonly clock?: Clock;
  /** 0 ≤ x < 1. */
  readonly random?: () => number;
}

/** How the agent is. */
export interface AgentHealth {
  readonly attached: boolean;
  readonly openflow_connected: boolean;
  /** Number of the revision wanted now; null before the first slice. */
  readonly desired_revision: number | null;
  readonly flow_count: number;
  /** Why a slice is held back; null when none is. */
  readonly held: string | null;
}

export interface AgentCounters {
  readonly flows: ReconcilerCounters;
  readonly punts: PuntCounters;
}

/** How long vnmgr is waited for before the slice kept on disk is used. */
const RESTORE_AFTER_MS = 3_000;
const PORT_NUMBER_POLL_MS = 200;
const ZONE_RETRY_MS = 50;
/** A hypervisor on the same L2 takes in frames without a tunnel as soon as it knows of us; it has this long to know. */
const DIRECT_SETTLES_MS = 2_000;

export class Agent {
  readonly #options: AgentOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #dpid: string;
  readonly #ovsdb: OvsdbClient;
  readonly #manager: BridgeManager;
  readonly #watcher: VifWatcher;
  readonly #follower: SliceFollower;
  readonly #keeper: SliceKeeper;
  readonly #reconciler: Reconciler;
  readonly #punts: Punts;
  readonly #context: SliceContext;
  readonly #advertiser: Advertiser;
  readonly #ports: Ports;
  readonly #desired: Desired;
  readonly #channel = new CurrentChannel();
  readonly #overlay: Overlay;
  readonly #peers: Peers;
  readonly #settling: Settling;
  readonly #numbers = new PortNumbers<Vif>();
  readonly #stop = new AbortController();
  /** Resolves once OVSDB has told the NICs for the first time. */
  readonly #vifsKnown: Promise<void>;
  #sawVifs!: () => void;
  /** Resolves once the switch has had the bridge as it should be; it may be gone again. */
  readonly #bridgeKnown: Promise<void>;
  #sawBridge!: () => void;
  #attachment: SliceAttachment | undefined;
  #zonesRead: { readonly version: number; readonly zones: ReadonlyMap<number, readonly string[]> } | undefined;
  #reported = '';
  #reportedVifs = '';
  #reportedChassis = '';
  /** Whether what is wanted is what was kept, since vnmgr has not been heard. */
  #isRestored = false;
  #isHeard = false;

  /** @throws OvsdbError `bad_endpoint` */
  constructor(options: AgentOptions) {
    const { log, bridge: name, datapath_type, node_id, default_mtu, dhcp_lease_time } = options;
    this.#options = options;
    // Every port being prepared or taken down listens to it.
    setMaxListeners(0, this.#stop.signal);
    const clock = (this.#clock = options.clock ?? systemClock);
    const random = (this.#random = options.random ?? Math.random);
    const endpoint = parseEndpoint(options.ovsdb);
    const datapath_id = options.datapath_id ?? deriveDatapathId(node_id, name);
    this.#dpid = `0x${datapath_id}`;
    this.#vifsKnown = new Promise((resolve) => (this.#sawVifs = resolve));
    this.#bridgeKnown = new Promise((resolve) => (this.#sawBridge = resolve));
    this.#ovsdb = new OvsdbClient({ endpoint, random, log });
    this.#manager = new BridgeManager(this.#ovsdb, {
      name,
      datapath_id,
      datapath_type,
      endpoint,
      openflow_target: options.openflow ?? undefined,
      log,
      onStatus: ({ phase }) => {
        if (phase === 'ready') this.#sawBridge();
      },
      onDisturbed: () => this.#reconciler.auditSoon(),
    });
    this.#overlay = new Overlay({
      options: options.overlay ?? NO_OVERLAY,
      bridge: name,
      ovsdb: this.#ovsdb,
      devices: networkInterfaces,
      settledPeers: () => (this.#peers.areKnown ? this.#settling.settled() : undefined),
      onChange: () => this.#onOverlay(),
      log,
    });
    this.#watcher = new VifWatcher(this.#ovsdb, { bridge: name, onReport: ({ changes }) => this.#onVifs(changes.some(isNewClaim)) });
    this.#reconciler = new Reconciler({
      clock,
      random,
      log,
      auditPeriodMs: options.auditPeriodMs,
      explain: (cookie) => this.#desired.provenance(cookie),
      onProgress: () => this.#report(),
    });
    this.#settling = new Settling({
      ms: DIRECT_SETTLES_MS,
      clock,
      signal: this.#stop.signal,
      before: () => this.#overlay.settledBefore(),
      onSettled: () => this.#onSettled(),
    });
    this.#peers = new Peers(
      () => this.#overlay.side(),
      () => this.#onPeers(),
    );
    const context = (this.#context = new SliceContext({
      default_mtu,
      overlay_mtu: () => this.#peers.mtu(),
      lease_seconds: dhcp_lease_time,
      onChange: (interfaces) => this.#advertiser.changed(interfaces),
    }));
    const now = (): number => clock.now();
    const policyLog = new PolicyLog({ names: context.names, now, write: (line) => log.info(line, `${line.verdict} by ${line.rule}`) });
    const dispatcher = new Dispatcher({ context, policyLog, now });
    this.#punts = new Punts({ answer: (frame) => dispatcher.answer(frame), log });
    this.#advertiser = new Advertiser({
      ports: () => this.#ports.live(),
      advertisements: (interfaceUuid) => context.unsolicitedAdvertisements(interfaceUuid),
      send: (frame, ofport) => this.#punts.send(frame, ofport),
      clock,
      random,
    });
    this.#ports = new Ports({
      store: this.#watcher,
      claims: () => this.#claims(),
      flushZone: (zone, signal) => this.#flushZone(zone, signal),
      apply: (puts, deletes) => {
        this.#advertiser.portsChanged();
        return this.#desired.applyPorts(puts, deletes);
      },
      settled: (delta, signal) => this.#reconciler.settled(delta, signal),
      revision: () => String(this.#desired.revision),
      onProgress: () => this.#desired.markComplete(),
      clock,
      log,
      signal: this.#stop.signal,
    });
    this.#desired = new Desired({
      createCompiler: () => createCompiler({ traceroute: options.traceroute }),
      reconciler: this.#reconciler,
      ports: this.#ports,
      context: {
        apply: (puts, deletes) => {
          this.#peers.apply(puts, deletes);
          context.apply(puts, deletes);
        },
        replace: (records) => {
          this.#peers.replace(records);
          context.replace(records);
        },
      },
      vifs: () => this.#numbers.correct(this.#watcher.vifs),
      own: (datapath) => this.#overlay.records(datapath),
      onFailure: () => void this.#follower.startOver(this.#stop.signal),
      log,
    });
    this.#keeper = new SliceKeeper({ file: options.sliceFile, dpid: this.#dpid, clock, log });
    this.#follower = new SliceFollower({
      source: options.sliceSource,
      hello: () => this.#hello(),
      onAttaching: () => this.#onAttaching(),
      onAttached: (attachment) => this.#onAttached(attachment),
      onDetached: () => (this.#attachment = undefined),
      onChange: (change) => {
        this.#isHeard = true;
        this.#isRestored = false;
        const admitted = this.#keeper.admit(change);
        if (admitted === undefined) this.#desired.refuse(change.seq, this.#keeper.held!);
        else this.#use(admitted);
        this.#report();
      },
      onUnsupported: ({ seq, schema_version }) => {
        this.#desired.refuse(seq, `slice messages of schema ${schema_version} are not understood`);
        this.#report();
      },
      clock,
      random,
      log,
    });
  }

  /** Works until the signal is aborted; resolves then, with every connection closed and all flows in place. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = this.#stop;
    const end = (): void => stop.abort();
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    const part = async (work: Promise<void>): Promise<void> => {
      try {
        await work;
      } finally {
        end();
      }
    };
    try {
      await Promise.all([
        part(this.#ovsdb.run(stop.signal)),
        part(this.#manager.run(stop.signal)),
        part(this.#watcher.run(stop.signal)),
        part(this.#overlay.run(stop.signal)),
        part(this.#hold('flows', (channel, over) => this.#program(channel, over))),
        part(this.#hold('punts', (channel, over) => this.#attendPunts(channel, over))),
        part(this.#follow()),
        this.#keeper.run(stop.signal),
        part(this.#advertiser.run(stop.signal)),
      ]);
    } finally {
      signal.removeEventListener('abort', end);
    }
  }

  get bridge(): string {
    return this.#options.bridge;
  }

  health(): AgentHealth {
    return {
      attached: this.#attachment !== undefined,
      openflow_connected: this.#channel.isUp,
      desired_revision: this.#desired.isCurrent ? this.#desired.revision : null,
      flow_count: this.#reconciler.status().flow_count,
      held: this.#keeper.held,
    };
  }

  counters(): AgentCounters {
    return { flows: this.#reconciler.counters, punts: this.#punts.counters };
  }

  /** Packets the switch has dropped so far, by reason; nothing while it cannot be asked. */
  async drops(): Promise<ReadonlyMap<DropReason, FlowCount>> {
    const channel = this.#channel.current;
    if (channel === undefined) return new Map();
    try {
      return await readDrops(channel);
    } catch (error) {
      if (error instanceof ChannelError) return new Map();
      throw error;
    }
  }

  /** An operator says that the slice that is held back is right. @returns false when none is. */
  acceptSlice(): boolean {
    const change = this.#keeper.accept();
    if (change !== undefined) this.#use(change);
    this.#report();
    return change !== undefined;
  }

  #use(change: SliceChange): void {
    if (!this.#desired.take(change)) return;
    this.#keeper.keep(change);
    this.#follower.succeeded();
  }

  #attendPunts(channel: OpenFlowChannel, signal: AbortSignal): Promise<void> {
    this.#advertiser.portsChanged();
    return this.#punts.attend(channel, signal);
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    await unlessAborted(this.#vifsKnown, signal);
    await Promise.all([this.#follower.run(signal), this.#restoreInNeed(signal)]);
  }

  /** With no vnmgr to be heard, the bridge works from the slice it had last. */
  async #restoreInNeed(signal: AbortSignal): Promise<void> {
    if (this.#options.sliceFile === undefined) return;
    await this.#clock.sleep(RESTORE_AFTER_MS, signal);
    if (signal.aborted || this.#isHeard) return;
    const change = this.#keeper.restored(this.#observations());
    if (change === undefined) return;
    this.#isRestored = this.#desired.take(change);
    const { revision, datapath_uuid: datapath } = change;
    this.#options.log.warn(
      { datapath, revision: revision.number, records: change.puts.length },
      'vnmgr is not heard; working from the slice kept on disk',
    );
  }

  #hold(purpose: string, attend: (channel: OpenFlowChannel, signal: AbortSignal) => Promise<void>): Promise<void> {
    return holdConnection(
      {
        purpose,
        connect: (signal) => this.#connect(signal),
        attend,
        clock: this.#clock,
        random: this.#random,
        log: this.#options.log,
      },
      this.#stop.signal,
    );
  }

  async #connect(signal: AbortSignal): Promise<OpenFlowChannel> {
    await unlessAborted(this.#bridgeKnown, signal);
    signal.throwIfAborted();
    const target = this.#manager.status.openflow_target;
    const channel = await connectChannel(target, {}, signal);
    const { datapath_id } = channel.features;
    if (datapath_id === BigInt(this.#dpid)) return channel;
    channel.close();
    throw new Error(`${target} speaks for datapath 0x${datapath_id.toString(16).padStart(16, '0')}, not for ${this.#dpid}`);
  }

  async #program(channel: OpenFlowChannel, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    try {
      await this.#overlay.mapOption(channel);
      await channel.matchFirstFragments();
      await this.#learnPortNumbers(channel);
      this.#channel.up(channel);
      this.#report();
      void this.#followPortNumbers(channel, over.signal);
      await this.#reconciler.attend(channel, signal);
    } finally {
      over.abort();
      this.#channel.down();
      this.#report();
    }
  }

  async #learnPortNumbers(channel: OpenFlowChannel): Promise<void> {
    const told = new Map<string, number>();
    await channel.connection.multipart({ kind: 'port_desc' }, ({ ports }) => {
      for (const { name, port_no } of ports) told.set(name, port_no);
    });
    this.#numbers.learn(this.#watcher.vifs, told);
    this.#overlay.learnPorts(told);
    this.#desired.updatePorts();
    this.#desired.updateOwn();
  }

  async #followPortNumbers(channel: OpenFlowChannel, signal: AbortSignal): Promise<void> {
    while (this.#numbers.arePending || this.#overlay.isNumberPending) {
      await this.#clock.sleep(PORT_NUMBER_POLL_MS, signal);
      if (signal.aborted) return;
      try {
        await this.#learnPortNumbers(channel);
      } catch {
        // The connection is over; the next one asks again.
        return;
      }
    }
  }

  /** @param areNew whether NICs came or went, or name other interfaces than before */
  #onVifs(areNew: boolean): void {
    this.#sawVifs();
    if (areNew && this.#attachment !== undefined) {
      const vifs = this.#observations();
      const text = JSON.stringify(vifs);
      if (text !== this.#reportedVifs) this.#attachment.reportVifs(vifs);
      this.#reportedVifs = text;
    }
    const restored = this.#isRestored && areNew ? this.#keeper.restored(this.#observations()) : undefined;
    if (restored === undefined) this.#desired.updatePorts();
    else this.#desired.take(restored);
  }

  /** Where tunnels end, or by which ports they leave, may differ now. */
  #onOverlay(): void {
    const facts = this.#overlay.facts();
    const text = JSON.stringify(facts);
    if (this.#attachment !== undefined && text !== this.#reportedChassis) {
      this.#reportedChassis = text;
      this.#attachment.reportChassis(facts);
    }
    this.#desired.updateOwn();
    this.#onPeers();
  }

  /** To which hypervisors frames go without a tunnel differs now. */
  #onSettled(): void {
    this.#desired.updateOwn();
    this.#overlay.settledPeersChanged();
  }

  /** Ways to other hypervisors may differ now. */
  #onPeers(): void {
    if (this.#peers.areKnown && this.#settling.update(this.#peers.direct())) this.#onSettled();
    this.#context.overlayChanged();
    this.#report();
  }

  #observations(): VifObservation[] {
    return [...this.#watcher.vifs.values()]
      .map(({ port_name, iface_id }) => ({ port_name, iface_id }))
      .sort((a, b) => (a.port_name < b.port_name ? -1 : 1));
  }

  #hello(): DatapathHello {
    const vifs = this.#observations();
    this.#reportedVifs = JSON.stringify(vifs);
    const chassis = this.#overlay.facts();
    this.#reportedChassis = JSON.stringify(chassis);
    return { node_id: this.#options.node_id, dpid: this.#dpid, bridge: this.#options.bridge, vifs, chassis };
  }

  #onAttaching(): void {
    this.#reported = '';
    this.#desired.restartSeq();
  }

  #onAttached(attachment: SliceAttachment): void {
    this.#attachment = attachment;
    attachment.serveFlows((owner) => listFlows(this.#desired.compiler, owner, this.#channel.current));
    attachment.serveAcceptance(() => Promise.resolve(this.acceptSlice()));
    // NICs may have come and gone since the hello.
    this.#onVifs(true);
    this.#onOverlay();
    this.#report();
  }

  /** Zones claimed on this switch now; read once for as long as OVSDB does not change. */
  #claims(): ReadonlyMap<number, readonly string[]> {
    const { tables, version } = this.#ovsdb;
    if (this.#zonesRead?.version !== version) this.#zonesRead = { version, zones: tables === undefined ? new Map() : readZones(tables) };
    return this.#zonesRead.zones;
  }

  /** Empties a conntrack zone over the connection that is up, or the next one that is. */
  async #flushZone(zone: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      const channel = await this.#channel.get(signal);
      if (channel === undefined) return;
      try {
        await channel.ctFlushZone(zone);
        return;
      } catch (error) {
        if (!(error instanceof ChannelError)) throw error;
        await this.#clock.sleep(ZONE_RETRY_MS, signal);
      }
    }
  }

  #report(): void {
    if (this.#attachment === undefined) return;
    const { applied_seq, flow_count, error } = this.#reconciler.status();
    const { missing, extra, changed } = this.#reconciler.counters.drift;
    const report: AppliedReport = {
      datapath_uuid: this.#attachment.datapath_uuid,
      connected: this.#channel.isUp,
      applied_seq,
      flow_count,
      flow_mods: this.#reconciler.counters.modifications,
      drift_repairs: missing + extra + changed,
      error: this.#desired.error ?? error,
      conditions: [...this.#overlay.conditions(), ...this.#peers.conditions()],
    };
    const text = JSON.stringify(report);
    if (text === this.#reported) return;
    this.#reported = text;
    this.#attachment.reportApplied(report);
  }
}

function isNewClaim({ before, after }: VifChange): boolean {
  return before === undefined || after === undefined || before.iface_id !== after.iface_id;
}
