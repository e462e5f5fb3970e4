/**
 * vna for one bridge.
 *
 * Owns: the parts and how they meet: OVSDB keeps the bridge and shows the NICs; the feed gives the slice; slice and local ports are compiled;
 * the reconciler brings the flows to the switch over one connection, and punts are answered over another; what is installed is reported back.
 * Assumes: one agent per bridge.
 * Promises: until the first complete slice the switch is not touched. Whatever is lost, vnmgr, OVSDB or a connection, what is installed stays and
 * keeps forwarding; the agent comes back by itself. Stopping leaves all flows in place.
 */
import { setMaxListeners } from 'node:events';
import type { SliceAttachment, VifObservation } from '../../controller/messages/slice.js';
import { createCompiler } from '../../flows/compile/compiler.js';
import type { DropReason } from '../../flows/pipeline/tables.js';
import { tableName } from '../../flows/trace/explain/names.js';
import { BridgeManager } from '../ovsdb/bridge-manager.js';
import { deriveDatapathId } from '../ovsdb/bridge-plan.js';
import { parseEndpoint } from '../ovsdb/endpoint.js';
import { OvsdbClient } from '../ovsdb/ovsdb-client.js';
import { VifWatcher, type VifChange } from '../ovsdb/vif-watcher.js';
import { PolicyLog } from '../respond/policy-log.js';
import { Dispatcher } from '../respond/dispatcher.js';
import { SliceContext } from '../respond/slice-context.js';
import { Advertiser } from './advertising.js';
import type { AgentOptions } from './agent-options.js';
import { systemClock } from './clock.js';
import type { CompileCheckCounters } from './compile-check.js';
import { Desired } from './desired.js';
import { NO_OVERLAY } from './endpoints.js';
import { Fabric } from './fabric.js';
import type { FlowCount } from './flow-counters.js';
import { listFlows } from './inspect.js';
import { inContext } from './log.js';
import { LiveObserver } from './live-observer.js';
import { LiveTracer } from './live-tracer.js';
import { Physical } from './physical.js';
import { Ports } from './ports.js';
import { Punts, type PuntCounters } from './punts.js';
import type { PuntCount } from './punt-tally.js';
import { Reconciler, type ReconcilerCounters } from './reconciler.js';
import { Reporting } from './reporting.js';
import { SelfChecks } from './self-checks.js';
import { SliceFeed } from './slice-feed.js';
import { SwitchLink } from './switch-link.js';
import type { TraceAuditCounters } from './trace-audit.js';
import { Turns } from './turns.js';
import { unlessAborted } from './unless-aborted.js';
import { NatZones } from './nat-zones.js';
import { natRow, readNatClaims, writeNatClaim } from '../ovsdb/nat-claims.js';
import { ZoneClaims } from './zone-claims.js';
import { Zones } from './zones.js';

/** How the agent is. */
export interface AgentHealth {
  readonly attached: boolean;
  readonly openflow_connected: boolean;
  /** Number of the revision wanted now; null before the first slice. */
  readonly desired_revision: number | null;
  readonly flow_count: number;
  /** Number of the last revision all of which the switch was seen to hold; null before the first. */
  readonly installed_revision: number | null;
  /** Why a slice is held back; null when none is. */
  readonly held: string | null;
}

export interface AgentCounters {
  readonly flows: ReconcilerCounters;
  readonly punts: PuntCounters;
  readonly punt_kinds: readonly PuntCount[];
  /** Packet-ins that were not answered since their port had sent too many of them. */
  readonly punts_limited: number;
  readonly traces: Readonly<TraceAuditCounters>;
  readonly compiled: Readonly<CompileCheckCounters>;
}

export class Agent {
  readonly #options: AgentOptions;
  readonly #ovsdb: OvsdbClient;
  readonly #manager: BridgeManager;
  readonly #watcher: VifWatcher;
  readonly #feed: SliceFeed;
  readonly #reporting: Reporting;
  readonly #link: SwitchLink;
  readonly #reconciler: Reconciler;
  readonly #punts: Punts;
  readonly #dispatcher: Dispatcher;
  readonly #context: SliceContext;
  readonly #advertiser: Advertiser;
  readonly #ports: Ports;
  readonly #natZones: NatZones;
  readonly #desired: Desired;
  readonly #fabric: Fabric;
  readonly #physical: Physical;
  readonly #checks: SelfChecks;
  readonly #liveTracer: LiveTracer;
  readonly #liveObserver: LiveObserver;
  readonly #stop = new AbortController();
  /** Resolves once OVSDB has told the NICs for the first time. */
  readonly #vifsKnown: Promise<void>;
  #sawVifs!: () => void;

  /** @throws OvsdbError `bad_endpoint` */
  constructor(options: AgentOptions) {
    const { bridge: name, datapath_type, node_id, default_mtu, dhcp_lease_time } = options;
    this.#options = options;
    // Every port being prepared or taken down listens to it.
    setMaxListeners(0, this.#stop.signal);
    const { clock = systemClock, random = Math.random } = options;
    const endpoint = parseEndpoint(options.ovsdb);
    const datapath_id = options.datapath_id ?? deriveDatapathId(node_id, name);
    const dpid = `0x${datapath_id}`;
    const log = inContext(options.log, () => ({ datapath: this.#desired.datapath ?? dpid, revision: this.#desired.wantedRevision }));
    this.#vifsKnown = new Promise((resolve) => (this.#sawVifs = resolve));
    this.#ovsdb = new OvsdbClient({ endpoint, random, log });
    this.#manager = new BridgeManager(this.#ovsdb, {
      name,
      datapath_id,
      datapath_type,
      endpoint,
      openflow_target: options.openflow ?? undefined,
      log,
      onStatus: ({ phase }) => {
        if (phase === 'ready') this.#link.bridgeSeen();
      },
      onDisturbed: () => this.#reconciler.auditSoon(),
    });
    this.#fabric = new Fabric({
      options: options.overlay ?? NO_OVERLAY,
      bridge: name,
      endpoint,
      datapath_type,
      ovsdb: this.#ovsdb,
      isInForce: () => this.#desired.isCurrent && this.#reconciler.isInForce,
      revision: () => this.#desired.revision,
      inject: (frame, actions) => this.#punts.inject(frame, actions),
      onOwn: () => this.#desired.updateOwn(),
      onChassis: () => this.#reporting.chassis(),
      onWays: () => this.#context.overlayChanged(),
      onProgress: () => this.#reporting.applied(),
      clock,
      random,
      log,
      signal: this.#stop.signal,
    });
    this.#watcher = new VifWatcher(this.#ovsdb, { bridge: name, onReport: ({ changes }) => this.#onVifs(changes.some(isNewClaim)) });
    this.#reconciler = new Reconciler({
      clock,
      random,
      log,
      auditPeriodMs: options.auditPeriodMs,
      explain: (cookie) => this.#desired.provenance(cookie),
      onProgress: () => this.#reporting.applied(),
      onSynced: options.times?.synced,
    });
    const context = (this.#context = new SliceContext({
      default_mtu,
      overlay_mtu: () => this.#fabric.mtu(),
      lease_seconds: dhcp_lease_time,
      onChange: (interfaces) => this.#advertiser.changed(interfaces),
    }));
    const now = (): number => clock.now();
    const policyLog = new PolicyLog({ names: context.names, now, write: (line) => log.info(line, `${line.verdict} by ${line.rule}`) });
    const dispatcher = (this.#dispatcher = new Dispatcher({ context, policyLog, now }));
    this.#punts = new Punts({
      answer: (frame) => {
        if (frame.punt.kind === 'neighbor' || frame.punt.kind === 'resolve') this.#physical.take(frame);
        return dispatcher.answer(frame);
      },
      onLive: (punt, packet) => this.#liveTracer.take(punt, packet),
      onWayProbe: (frame) => this.#fabric.heard(frame),
      onGatewayProbe: (frame) => this.#physical.heardProbe(frame),
      log,
    });
    this.#liveObserver = new LiveObserver(() => this.#desired.compiler, context.names);
    this.#liveTracer = new LiveTracer({
      observe: (punt, packet, at) => this.#liveObserver.observe(punt, packet, at),
      isReady: () => this.#link.isUp && this.#desired.isCurrent && this.#reconciler.status().isAdopted,
      onChange: () => this.#desired.updateOwn(),
      settled: (delta, signal) => this.#reconciler.settled(delta, signal),
      clock,
      wallClock: Date.now,
      signal: this.#stop.signal,
    });
    this.#physical = new Physical({
      bridge: name,
      mappings: (options.overlay ?? NO_OVERLAY).bridge_mappings,
      ovsdb: this.#ovsdb,
      compiler: () => this.#desired.compiler,
      send: (frame, ofport) => this.#punts.send(frame, ofport),
      datapath: () => this.#fabric.datapath,
      ways: () => this.#fabric.ways(),
      inject: (frame, actions) => this.#punts.inject(frame, actions),
      refuse: (frame) => this.#punts.answerLate({ ...frame, punt: { kind: 'host_unreachable' } }),
      isUp: () => this.#link.isUp,
      onChange: () => {
        this.#desired.updateOwn();
        this.#reporting.applied();
      },
      clock,
      random,
      log,
    });
    this.#advertiser = new Advertiser({
      ports: () => this.#ports.live(),
      advertisements: (interfaceUuid) => context.unsolicitedAdvertisements(interfaceUuid),
      send: (frame, ofport) => this.#punts.send(frame, ofport),
      clock,
      random,
    });
    this.#link = new SwitchLink({
      dpid,
      target: () => this.#manager.status.openflow_target,
      prepare: async (channel) => {
        await this.#fabric.prepare(channel);
        await channel.matchFirstFragments();
      },
      attendFlows: (channel, signal) => this.#reconciler.attend(channel, signal),
      attendPunts: (channel, signal) => {
        this.#advertiser.portsChanged();
        const attended = this.#punts.attend(channel, signal);
        this.#fabric.probe();
        return attended;
      },
      vifs: () => this.#watcher.vifs,
      onPorts: (told) => {
        this.#fabric.learnPorts(told);
        this.#physical.learnPorts(told);
        this.#desired.updatePorts();
        this.#desired.updateOwn();
      },
      isNumberPending: () => this.#fabric.isNumberPending || this.#physical.isNumberPending,
      onChange: () => this.#reporting.applied(),
      clock,
      random,
      log,
    });
    const claims = new ZoneClaims(this.#ovsdb);
    const zones = new Zones(() => claims.now());
    this.#natZones = new NatZones({
      claimed: () => (this.#ovsdb.tables === undefined ? new Map() : readNatClaims(this.#ovsdb.tables, name)),
      rowOf: (link) => natRow(name, link),
      claim: (link, pair, signal) => writeNatClaim(this.#ovsdb, name, link, pair, signal),
      zones,
      flushZone: (zone, signal) => this.#link.flushZone(zone, signal),
      onChange: () => {
        this.#desired.updateOwn();
        this.#desired.markComplete();
      },
      clock,
      log,
      signal: this.#stop.signal,
    });
    this.#ports = new Ports({
      store: this.#watcher,
      zones,
      flushZone: (zone, signal) => this.#link.flushZone(zone, signal),
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
          this.#fabric.apply(puts, deletes);
          this.#physical.apply(puts, deletes);
          context.apply(puts, deletes);
        },
        replace: (records) => {
          this.#fabric.replace(records);
          this.#physical.replace(records);
          context.replace(records);
        },
      },
      vifs: () => this.#link.vifs(),
      own: (datapath) => [
        ...this.#fabric.records(datapath),
        ...this.#natZones.records(),
        ...this.#physical.records(),
        ...this.#liveTracer.records(),
      ],
      natZones: this.#natZones,
      onCompiled: () => {
        this.#physical.compiled();
        this.#liveObserver.forget();
      },
      onFailure: () => void this.#feed.startOver(this.#stop.signal),
      onTimed: options.times?.compiled,
      clock,
      log,
    });
    this.#checks = new SelfChecks({
      options,
      endpoint,
      desired: this.#desired,
      reconciler: this.#reconciler,
      isUp: () => this.#link.isUp,
      clock,
      random,
      log,
    });
    this.#reporting = new Reporting({
      node_id,
      dpid,
      bridge: name,
      vifs: () => this.#observations(),
      chassis: () => this.#fabric.facts(),
      applied: () => {
        const { applied_seq, flow_count, error } = this.#reconciler.status();
        const { modifications, drift } = this.#reconciler.counters;
        return {
          connected: this.#link.isUp,
          applied_seq,
          flow_count,
          flow_mods: modifications,
          drift_repairs: drift.missing + drift.extra + drift.changed,
          error: this.#desired.error ?? error,
          conditions: [...this.#fabric.conditions(), ...this.#physical.conditions()],
        };
      },
    });
    this.#feed = new SliceFeed({
      source: options.sliceSource,
      dpid,
      file: options.sliceFile,
      desired: this.#desired,
      vifs: () => this.#observations(),
      hello: () => this.#reporting.hello(),
      onAttached: (attachment) => this.#onAttached(attachment),
      onDetached: () => {
        this.#physical.attachment = undefined;
        this.#fabric.attachment = undefined;
        this.#reporting.detached();
      },
      onTaken: () => this.#reporting.applied(),
      turns: options.turns ?? new Turns(),
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
        part(this.#fabric.run(stop.signal)),
        part(this.#physical.run(stop.signal)),
        part(this.#link.run(stop.signal)),
        part(this.#follow()),
        this.#feed.keep(stop.signal),
        part(this.#advertiser.run(stop.signal)),
        this.#checks.run(stop.signal),
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
      attached: this.#reporting.isAttached,
      openflow_connected: this.#link.isUp,
      desired_revision: this.#desired.wantedRevision,
      installed_revision: this.#reconciler.installedRevision,
      flow_count: this.#reconciler.status().flow_count,
      held: this.#feed.held,
    };
  }

  counters(): AgentCounters {
    return {
      flows: this.#reconciler.counters,
      punts: this.#punts.counters,
      punt_kinds: this.#punts.kinds.counts(),
      punts_limited: this.#dispatcher.counts().reduce((sum, { outcome, count }) => sum + (outcome === 'limited' ? count : 0), 0),
      traces: this.#checks.traces,
      compiled: this.#checks.compiled,
    };
  }

  /** Flows the switch holds, by the name of their table. */
  flowsByTable(): ReadonlyMap<string, number> {
    return new Map([...this.#reconciler.flowsByTable()].map(([table, count]) => [tableName(table), count]));
  }

  /** Ways to other hypervisors: how many answer probes, and how many do not. */
  ways(): { readonly answering: number; readonly silent: number } {
    return this.#fabric.counts();
  }

  /** Packets the switch has dropped so far, by reason; nothing while it cannot be asked. */
  drops(): Promise<ReadonlyMap<DropReason, FlowCount>> {
    return this.#link.drops();
  }

  /** An operator says that the slice that is held back is right. @returns false when none is. */
  acceptSlice(): boolean {
    return this.#feed.accept();
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    await unlessAborted(this.#vifsKnown, signal);
    await this.#feed.follow(signal);
  }

  /** @param areNew whether NICs came or went, or name other interfaces than before */
  #onVifs(areNew: boolean): void {
    this.#sawVifs();
    if (areNew) this.#reporting.vifs();
    if (!areNew || !this.#feed.vifsChanged()) this.#desired.updatePorts();
  }

  #observations(): VifObservation[] {
    return [...this.#watcher.vifs.values()]
      .map(({ port_name, iface_id }) => ({ port_name, iface_id }))
      .sort((a, b) => (a.port_name < b.port_name ? -1 : 1));
  }

  #onAttached(attachment: SliceAttachment): void {
    this.#physical.attachment = attachment;
    this.#fabric.attachment = attachment;
    attachment.serveFlows((owner) => listFlows(this.#desired.compiler, owner, this.#link.channel));
    attachment.serveAcceptance(() => Promise.resolve(this.acceptSlice()));
    attachment.serveLive((command) => this.#liveTracer.carryOut(command));
    attachment.serveChecks((probes) => this.#checks.check(probes));
    this.#reporting.attached(attachment);
    // NICs may have come and gone since the hello.
    this.#onVifs(true);
    this.#fabric.changed();
  }
}

function isNewClaim({ before, after }: VifChange): boolean {
  return before === undefined || after === undefined || before.iface_id !== after.iface_id;
}
