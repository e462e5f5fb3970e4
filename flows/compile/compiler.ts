/**
 * The compiler of one datapath: slice and local ports in, flow tables out.
 *
 * Owns: the list of rules that make up the pipeline, the constant meters.
 * Promises: see contract.ts; `tables` is live and changes only inside `update`.
 */
import type { TracerouteMode } from '../model/entities/routing.js';
import type { Meter } from '../openflow/flow.js';
import { gatewaysHere, HERE } from '../pipeline/indexes.js';
import { PUNT_KINDS, SENDER_METERS } from '../pipeline/punt.js';
import type { Lookup, Rule } from '../pipeline/rule.js';
import { nicAddressFlows, routerAddressFlows } from '../pipeline/stages/address.js';
import { FACT_RULES } from '../pipeline/stages/attachments.js';
import { fixedFlows } from '../pipeline/stages/fixed.js';
import { floodChunkFlows, floodSegmentFlows } from '../pipeline/stages/flood.js';
import {
  overlayFixedFlows,
  peerDomainFlows,
  peerFlows,
  wayFlows,
  reachChunkFlows,
  reachFlows,
  tunnelPortFlows,
  tunnelSegmentFlows,
} from '../pipeline/stages/overlay.js';
import { directFixedFlows, directInFlows, directOutFlows, underlayPortFlows } from '../pipeline/stages/direct.js';
import { OVERLAY_FACT_RULES } from '../pipeline/stages/overlay-facts.js';
import { filterFlows, filterStateFlows } from '../pipeline/stages/filter.js';
import { identityFixedFlows, identityFlows, IDENTITY_FACT_RULES, memberNetworkFlows } from '../pipeline/stages/identity.js';
import { gatewayFixedFlows, gatewayFlows, neighborFlows } from '../pipeline/stages/gateway.js';
import { GATEWAY_FACT_RULES } from '../pipeline/stages/gateway-facts.js';
import { physicalFixedFlows, physicalNicFlows, physicalSegmentFlows } from '../pipeline/stages/physical.js';
import { groupRuleFlows } from '../pipeline/stages/policy.js';
import { classFlows, policyDropFlows, policyStateFlows } from '../pipeline/stages/policy-state.js';
import { portFlows, portSecurityFlows } from '../pipeline/stages/port.js';
import { remoteAddressFlows } from '../pipeline/stages/remote.js';
import { NAT_FACT_RULES } from '../pipeline/stages/nat-facts.js';
import { closedPortFlows, natFixedFlows, natFlows } from '../pipeline/stages/nat.js';
import { icmpFlows } from '../pipeline/stages/icmp.js';
import { routerPortFlows, routingFixedFlows, silentRouterFlows } from '../pipeline/stages/router.js';
import { policyRouteFlows, routeFlows } from '../pipeline/stages/routes.js';
import { dhcpFlows, routerSolicitFlows } from '../pipeline/stages/services.js';
import { learningFixedFlows, learningPeerFlows, learningSegmentFlows } from '../pipeline/stages/learning.js';
import { liveFlows } from '../pipeline/stages/live.js';
import { wayProbeFlows } from '../pipeline/stages/way-probe.js';
import type { CompileRecord, Compiler, FlowDelta, Gateway, Provenance, Tables } from './contract.js';
import { Engine } from './engine.js';

const FLOW_RULES = [
  fixedFlows,
  portFlows,
  portSecurityFlows,
  nicAddressFlows,
  routerAddressFlows,
  floodSegmentFlows,
  floodChunkFlows,
  routingFixedFlows,
  icmpFlows,
  silentRouterFlows,
  routerPortFlows,
  routeFlows,
  policyRouteFlows,
  natFixedFlows,
  closedPortFlows,
  natFlows,
  policyStateFlows,
  classFlows,
  policyDropFlows,
  groupRuleFlows,
  identityFixedFlows,
  identityFlows,
  memberNetworkFlows,
  filterStateFlows,
  filterFlows,
  dhcpFlows,
  routerSolicitFlows,
  overlayFixedFlows,
  tunnelPortFlows,
  peerFlows,
  wayFlows,
  tunnelSegmentFlows,
  peerDomainFlows,
  reachFlows,
  reachChunkFlows,
  remoteAddressFlows,
  directFixedFlows,
  underlayPortFlows,
  directInFlows,
  directOutFlows,
  wayProbeFlows,
  physicalFixedFlows,
  physicalSegmentFlows,
  physicalNicFlows,
  gatewayFixedFlows,
  gatewayFlows,
  neighborFlows,
  learningFixedFlows,
  learningSegmentFlows,
  learningPeerFlows,
  liveFlows,
] as unknown as readonly Rule[];

const COMPILER_FACT_RULES = [...FACT_RULES, ...IDENTITY_FACT_RULES, ...OVERLAY_FACT_RULES, ...NAT_FACT_RULES, ...GATEWAY_FACT_RULES];

/** OFPMF_PKTPS | OFPMF_BURST. */
const PER_PACKET = 0x2 | 0x4;

/** One meter per kind of punt, so that a flood of one kind leaves the others working; and those that part the senders. */
const METERS: ReadonlyMap<number, Meter> = new Map([
  ...Object.values(PUNT_KINDS).map(({ meter, packetsPerSecond }) => meterOf(meter, packetsPerSecond)),
  ...Array.from({ length: SENDER_METERS.count }, (_, i) => meterOf(SENDER_METERS.first + i, SENDER_METERS.packetsPerSecond)),
]);

function meterOf(meter_id: number, rate: number): [number, Meter] {
  return [meter_id, { meter_id, flags: PER_PACKET, bands: [{ kind: 'drop', rate, burst_size: rate }] }];
}

export interface CompilerOptions {
  /** Of routers that have none of their own; virtual-hops unless told. */
  readonly traceroute?: TracerouteMode | undefined;
}

class PipelineCompiler implements Compiler {
  readonly #engine: Engine;
  readonly tables: Tables;

  constructor(traceroute: TracerouteMode) {
    this.#engine = new Engine(COMPILER_FACT_RULES, FLOW_RULES);
    this.#engine.update([{ kind: 'pipeline', uuid: 'pipeline', traceroute }], []);
    this.tables = { flows: this.#engine.flows, groups: this.#engine.groups, meters: METERS };
  }

  update(puts: readonly CompileRecord[], deletes: readonly string[]): FlowDelta {
    return this.#engine.update(puts, deletes);
  }

  *records(): Iterable<CompileRecord> {
    for (const record of this.#engine.store.values()) {
      switch (record.kind) {
        case 'pipeline':
        case 'nic':
        case 'router_port':
        case 'local_class':
        case 'flood_set':
        case 'flood_chunk':
        case 'group_rule':
        case 'remote_nic':
        case 'peer':
        case 'peer_domain':
        case 'direct_peer':
        case 'way':
        case 'shared_macs':
        case 'presence':
        case 'reach':
        case 'reach_chunk':
        case 'group_stance':
        case 'named_group':
        case 'member_network':
        case 'nat':
        case 'nat_port':
        case 'closed_port':
        case 'own_domain':
        case 'physical_segment':
        case 'gateway':
          continue;
        default:
          yield record;
      }
    }
  }

  gateways(): readonly Gateway[] {
    return this.#engine.store.all(gatewaysHere, HERE);
  }

  provenance(cookie: bigint): Provenance | undefined {
    return this.#engine.flowSet.provenance(cookie);
  }

  get look(): Lookup {
    return this.#engine.look;
  }

  get runs(): number {
    return this.#engine.runs;
  }
}

export interface InspectableCompiler extends Compiler {
  /** Rule runs since the start. */
  readonly runs: number;
}

/** A compiler with nothing in it but the fixed part of the pipeline. */
export function createCompiler({ traceroute = 'virtual-hops' }: CompilerOptions = {}): InspectableCompiler {
  return new PipelineCompiler(traceroute);
}
