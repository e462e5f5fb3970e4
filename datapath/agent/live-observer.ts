/**
 * What a copy of a packet in a live trace tells.
 *
 * Owns: reading the copy: its headers, what stays the same of it on its way, the names behind its registers, and the row that decided on it.
 * Assumes: the flows on the switch are those that are wanted.
 * Promises: a row is named where one of the flows wanted now would do what was done to the packet, in the state in which it was seen.
 */
import { hash } from 'node:crypto';
import type { LiveObservation, LivePacket } from '../../controller/messages/live.js';
import type { Provenance, Tables } from '../../flows/compile/contract.js';
import { formatIp } from '../../flows/net/ip.js';
import { formatMac } from '../../flows/net/mac.js';
import type { Flow } from '../../flows/openflow/flow.js';
import type { FieldName } from '../../flows/openflow/fields.js';
import type { FieldValue } from '../../flows/openflow/match.js';
import { extractFields } from '../../flows/packet/packet-view.js';
import { IN_PORT } from '../../flows/pipeline/build.js';
import { FLOOD_CHUNKS } from '../../flows/pipeline/facts.js';
import { floodChunkUuid, nicsOfFloodChunk } from '../../flows/pipeline/indexes.js';
import type { LivePunt } from '../../flows/pipeline/punt.js';
import { index, type Lookup } from '../../flows/pipeline/rule.js';
import { REGISTERS } from '../../flows/pipeline/registers.js';
import { DROP_REASONS, TABLES, type DropReason, type TableName } from '../../flows/pipeline/tables.js';
import { Classifier } from '../../flows/trace/classifier.js';
import { dropReason, register } from '../../flows/trace/explain/names.js';
import { addressesIn, packetLine } from '../../flows/trace/explain/packet.js';
import { Microflow } from '../../flows/trace/microflow.js';
import { compileRule } from '../../flows/trace/rule.js';
import { cookieText } from '../../flows/trace/explain/reason.js';
import { slotOf } from '../../flows/trace/layout.js';
import type { PacketIn } from '../channel/contract.js';
import type { PolicyNames } from '../respond/policy-names.js';

/** What is wanted on the bridge. */
export interface ObservedFlows {
  readonly tables: Tables;
  readonly look: Lookup;
  provenance(cookie: bigint): Provenance | undefined;
}

const peersByKey = index('peer', ({ peer_key }) => [String(peer_key)]);

/** Where a packet that ends so was decided on. */
const END_TABLES: Partial<Record<LivePunt['point'], TableName>> = {
  local: 'LOCAL',
  delivered: 'OUT_LOCAL',
  flooded: 'FLOOD_OUT',
  sent: 'TUNNEL_OUT',
  left: 'PHYSICAL_OUT',
};

const PROTOCOLS = new Map([
  [1, 'icmp'],
  [6, 'tcp'],
  [17, 'udp'],
  [58, 'icmpv6'],
  [132, 'sctp'],
]);

export class LiveObserver {
  readonly #flows: () => ObservedFlows;
  readonly #names: Pick<PolicyNames, 'rule' | 'interfaceOf'>;
  /** Rows of tables that were asked about since the tables last changed. */
  readonly #rows = new Map<TableName, Classifier>();
  /** Tables that drop for a reason. */
  readonly #dropping = new Map<DropReason, readonly TableName[]>();

  constructor(flows: () => ObservedFlows, names: Pick<PolicyNames, 'rule' | 'interfaceOf'>) {
    this.#flows = flows;
    this.#names = names;
  }

  /** What is wanted differs. */
  forget(): void {
    this.#rows.clear();
    this.#dropping.clear();
  }

  /** @returns undefined for a copy that says nothing. @param at milliseconds since 1970 */
  observe({ point }: LivePunt, packetIn: PacketIn, at: number): LiveObservation | undefined {
    const packet = packetOf(packetIn);
    const reason = dropReason(packet);
    // An L2 that has not learnt where a MAC is hands the frame to everybody; that others let it go is nothing about it.
    if (reason === 'tunnel_to_tunnel' && this.#flows().look.get('underlay_port', 'underlay')?.ofport === packet.number('in_port'))
      return undefined;
    const isAnswer = point === 'answered' && reason === undefined;
    const row = isAnswer ? undefined : this.#rowOf(point, reason, packet);
    if (point === 'local' && (row === undefined || !answers(row))) return undefined;
    const maker = row && this.#flows().provenance(row.cookie);
    const ruleOf = (name: 'egress_rule' | 'ingress_rule') => this.#names.rule(register(packet, name))?.rule.uuid ?? null;
    const receivers = reason === undefined ? this.#receivers(point, packet) : [];
    const isNobody = point === 'flooded' && reason === undefined && receivers.length === 0;
    const isTooBig = point === 'sent' && reason === undefined && register(packet, 'too_big') === 1;
    return {
      at,
      point: isTooBig || this.#isTold(reason, packet) ? 'refused' : reason === undefined && !isNobody ? point : 'dropped',
      identity: identityOf(packetIn),
      packet: livePacketOf(packet, packetIn),
      table: row === undefined ? (isAnswer ? 'ROUTER_SELF' : null) : nameOf(row.table),
      cookie: row === undefined ? null : cookieText(row.cookie),
      rule: maker?.rule ?? null,
      uuids: [...(maker?.uuids ?? [])],
      reason: reason ?? (isTooBig ? 'too_big' : isNobody ? 'no_flood' : null),
      egress_rule: ruleOf('egress_rule'),
      ingress_rule: ruleOf('ingress_rule'),
      interface_uuid: this.#names.interfaceOf(register(packet, 'destination_port')) ?? null,
      receivers,
      branch: register(packet, 'multicast') === 1 ? register(packet, 'destination_class') : 0,
      peer_uuid: this.#peerOf(register(packet, 'peer')),
      routers_crossed: register(packet, 'routers_crossed').toString(2).replaceAll('0', '').length + register(packet, 'run_unpaid'),
      ct_state: packet.number('ct_state'),
    };
  }

  /** Who gets it out of a port here. A switch sends nothing back to where it came from. */
  #receivers(point: LivePunt['point'], packet: Microflow): string[] {
    const one = this.#names.interfaceOf(register(packet, 'destination_port'));
    if (point === 'delivered') return one === undefined ? [] : [one];
    if (point !== 'flooded') return [];
    const [segment, kind] = [register(packet, 'segment'), register(packet, 'destination_class')];
    const chunks = Array.from({ length: FLOOD_CHUNKS }, (_, chunk) => floodChunkUuid(segment, kind, chunk));
    const nics = chunks.flatMap((chunk) => this.#flows().look.all(nicsOfFloodChunk, chunk));
    return [...new Set(nics.flatMap(({ ofport, interface_uuid }) => (ofport === packet.number('in_port') ? [] : [interface_uuid])))].sort();
  }

  /** A router, or the rule that rejects it, tells the sender. */
  #isTold(reason: DropReason | undefined, packet: Microflow): boolean {
    if (reason === 'egress_rule' || reason === 'ingress_rule') return this.#names.rule(register(packet, reason))?.rule.action === 'reject';
    return reason !== undefined && register(packet, 'icmp_error') !== 0;
  }

  #peerOf(key: number): string | null {
    return key === 0 ? null : (this.#flows().look.all(peersByKey, String(key))[0]?.datapath_uuid ?? null);
  }

  #rowOf(point: LivePunt['point'], reason: DropReason | undefined, packet: Microflow): Flow | undefined {
    if (reason === undefined) {
      const table = END_TABLES[point];
      return table && this.#classifier(table).lookup(packet.words)?.rule.flow;
    }
    for (const table of this.#tablesFor(reason)) {
      const flow = this.#classifier(table).lookup(packet.words)?.rule.flow;
      if (flow !== undefined && dropsFor(flow, reason)) return flow;
    }
    return undefined;
  }

  #tablesFor(reason: DropReason): readonly TableName[] {
    const known = this.#dropping.get(reason);
    if (known !== undefined) return known;
    const ids = new Set<number>();
    for (const flow of this.#flows().tables.flows.values()) if (dropsFor(flow, reason)) ids.add(flow.table);
    const tables = [...ids].sort((a, b) => a - b).flatMap((id) => nameOf(id) ?? []);
    this.#dropping.set(reason, tables);
    return tables;
  }

  #classifier(table: TableName): Classifier {
    const known = this.#rows.get(table);
    if (known !== undefined) return known;
    const made = new Classifier();
    const { id } = TABLES[table];
    for (const [key, flow] of this.#flows().tables.flows)
      if (flow.table === id && flow.hard_timeout === undefined) made.insert(compileRule(key, flow));
    this.#rows.set(table, made);
    return made;
  }
}

const TABLE_NAMES = new Map((Object.keys(TABLES) as TableName[]).map((name) => [TABLES[name].id as number, name]));

function nameOf(id: number): TableName | null {
  return TABLE_NAMES.get(id) ?? null;
}

function actionsOf(flow: Flow) {
  return flow.instructions.flatMap((one) => (one.kind === 'apply_actions' ? one.actions : []));
}

function dropsFor(flow: Flow, reason: DropReason): boolean {
  const { code } = DROP_REASONS[reason];
  const { field } = REGISTERS.drop_reason;
  return actionsOf(flow).some((one) => one.kind === 'set_field' && one.field === field && one.value === code && one.mask === 0xffff);
}

/** Sends it back, or hands it to the agent. */
function answers(flow: Flow): boolean {
  const isReply = flow.instructions.some((one) => one.kind === 'goto_table' && one.table === TABLES.ND_REPLY.id);
  return isReply || actionsOf(flow).some((one) => one.kind === 'controller' || (one.kind === 'output' && one.port === IN_PORT));
}

/** The packet as it was there. A switch says all registers that are not 0. */
function packetOf({ data, full_length, metadata }: PacketIn): Microflow {
  const fields: Partial<Record<FieldName, FieldValue>> = {};
  const put = (name: FieldName, value: unknown) => {
    if ((typeof value === 'number' || typeof value === 'bigint') && slotOf(name) !== undefined) fields[name] = value;
  };
  // Only a packet that is there in full length has a transport header.
  const whole = new Uint8Array(Math.max(data.length, full_length));
  whole.set(data);
  for (const [name, value] of Object.entries(extractFields(whole))) put(name as FieldName, value);
  for (const oxm of metadata) if (oxm.field !== 'unknown') put(oxm.field, oxm.value);
  return Microflow.from(fields);
}

const IPV4_HEADER = 20;
const IPV6_HEADER = 40;

/** What neither routers nor translations change: the number of an IPv4 packet, and what follows the ports, with TCP without its checksum. */
function identityOf({ data }: PacketIn): string {
  const type = data.length < 14 ? 0 : (data[12]! << 8) | data[13]!;
  const ip = data.subarray(14);
  if (type === 0x0800 && ip.length >= IPV4_HEADER) {
    const header = (ip[0]! & 0x0f) * 4;
    return digest('4', ip.subarray(2, 6), ip.subarray(9, 10), upperIdentity(ip[9]!, ip.subarray(header)));
  }
  if (type === 0x86dd && ip.length >= IPV6_HEADER)
    return digest('6', ip.subarray(4, 7), new Uint8Array(), upperIdentity(ip[6]!, ip.subarray(IPV6_HEADER)));
  return digest('l', data.subarray(12), new Uint8Array(), new Uint8Array());
}

function upperIdentity(protocol: number, bytes: Uint8Array): Uint8Array {
  switch (protocol) {
    case 6:
      // Sequence numbers, flags and window; not the checksum; options and payload.
      return Uint8Array.from([...bytes.subarray(4, 16), ...bytes.subarray(18)]);
    case 17:
      return Uint8Array.from([...bytes.subarray(4, 6), ...bytes.subarray(8)]);
    case 1:
    case 58:
      return bytes.subarray(4);
    default:
      return bytes;
  }
}

function digest(kind: string, ...parts: readonly Uint8Array[]): string {
  return hash(
    'sha256',
    Buffer.concat([Buffer.from(kind), ...parts.map((part) => Buffer.concat([Buffer.from([part.length]), part]))]),
  ).slice(0, 24);
}

function livePacketOf(packet: Microflow, { full_length, data }: PacketIn): LivePacket {
  const addresses = addressesIn(packet);
  const number = packet.number('nw_proto');
  const protocol = addresses === undefined ? null : (PROTOCOLS.get(number) ?? String(number));
  const hasPorts = protocol === 'tcp' || protocol === 'udp' || protocol === 'sctp';
  const isIcmp = protocol === 'icmp' || protocol === 'icmpv6';
  const end = (side: 'src' | 'dst') =>
    addresses === undefined ? null : { address: formatIp(addresses[side]), port: hasPorts ? packet.number(`${protocol}_${side}`) : null };
  return {
    line: packetLine(packet),
    protocol,
    source: end('src'),
    destination: end('dst'),
    icmp_type: isIcmp ? packet.number(`${protocol}_type`) : null,
    icmp_code: isIcmp ? packet.number(`${protocol}_code`) : null,
    tcp_flags: protocol === 'tcp' ? packet.number('tcp_flags') : null,
    ttl: addresses === undefined ? null : packet.number('nw_ttl'),
    size: Math.max(full_length, data.length),
    eth_src: formatMac(packet.number('eth_src')),
    eth_dst: formatMac(packet.number('eth_dst')),
  };
}
