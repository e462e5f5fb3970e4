/**
 * The way of a packet through the tables, as plain data.
 *
 * Owns: table steps with who made each flow, what they changed, outputs and crossings between datapaths.
 */
import { entityOf, type ModelView } from '../../model/view.js';
import { formatIpv4, formatIpv6 } from '../../net/ip.js';
import { formatMac } from '../../net/mac.js';
import type { FieldName } from '../../openflow/fields.js';
import { instructionsToString } from '../../openflow/text-action.js';
import { matchToString } from '../../openflow/text-match.js';
import { decodePunt } from '../../pipeline/punt.js';
import { pairingOf } from '../../pipeline/pairing.js';
import { tunnelEnd, type Visit } from '../fabric.js';
import { Microflow } from '../microflow.js';
import { CT_STATE } from '../prerequisite.js';
import type { ConjunctionStep, FlowRef, TableStep, TraceStep } from '../result.js';
import type { TraceHop, TraceStepAnswer, TraceTunnel, TraceVerdict, TraceVisit } from './answer.js';
import { dropReason, Names, tableName } from './names.js';
import type { Passage } from './passage.js';
import { cookieText } from './reason.js';
import type { Realm, RealmSite } from './realm.js';

/** Of the pipeline, not of the packet. */
const INTERNAL = /^(reg|xreg|xxreg|metadata|pkt_mark|ct_|in_port|actset_output|tun_)/;

export function visitsOf(realm: Realm, { visits }: Passage): TraceVisit[] {
  return visits.map((visit) => visitOf(realm, visit));
}

function visitOf(realm: Realm, { datapath_uuid, from, packet, trace }: Visit): TraceVisit {
  const site = realm.at(datapath_uuid)!;
  return {
    datapath_uuid,
    from: from ?? null,
    by: portText(site, Number(packet.in_port ?? 0)),
    packet: headers(Microflow.from(packet)),
    steps: stepsOf(site, trace.steps),
    outputs: trace.outputs.map(({ port, packet: out }) => ({
      port: portText(site, port),
      interface_uuid: site.interfaceAt(port) ?? null,
      packet: headers(out),
    })),
    punts: trace.punts
      .filter(({ implicit }) => !implicit)
      .map(({ userdata, meter_id }) => ({ kind: (userdata && decodePunt(userdata)?.kind) ?? 'unknown', meter_id: meter_id ?? null })),
    drops: trace.drops.map(({ packet: end, table }) => ({ reason: dropReason(end) ?? 'none', table_name: tableName(table) })),
    conntrack: trace.tracked.map(({ zone, state }) => ({ zone_of: site.interfaceInZone(zone) ?? null, state: stateText(state) })),
  };
}

function stepsOf(site: RealmSite, steps: readonly TraceStep[]): TraceStepAnswer[] {
  const answers: TraceStepAnswer[] = [];
  for (const step of steps) {
    if (step.kind === 'table') answers.push(stepOf(site, step));
    const last = answers.at(-1);
    const change = step.kind === 'action' ? step.change : undefined;
    if (last === undefined || change === undefined || INTERNAL.test(change.field)) continue;
    const { field, before, after } = change;
    last.rewrites[field] = { before: last.rewrites[field]?.before ?? fieldText(field, before), after: fieldText(field, after) };
  }
  return answers;
}

function stepOf(site: RealmSite, { table, hit, pass, depth, conjunction }: TableStep): TraceStepAnswer {
  const made = hit && site.provenance(hit.flow.cookie);
  return {
    table,
    table_name: tableName(table),
    pass,
    depth,
    priority: hit?.flow.priority ?? null,
    cookie: hit === undefined ? null : cookieText(hit.flow.cookie),
    match: hit === undefined ? '' : withPortNames(site, matchToString(hit.flow.match)),
    actions: hit === undefined ? '' : withPortNames(site, instructionsToString(hit.flow.instructions)),
    rule: made?.rule ?? null,
    uuids: [...(made?.uuids ?? [])],
    rewrites: {},
    conjunction: conjunction === undefined ? null : conjunctionOf(site, conjunction),
  };
}

function conjunctionOf(site: RealmSite, { id, dimensions }: ConjunctionStep): TraceStepAnswer['conjunction'] {
  const dimension = ({ flow }: FlowRef) => ({
    cookie: cookieText(flow.cookie),
    match: matchToString(flow.match),
    uuids: [...(site.provenance(flow.cookie)?.uuids ?? [])],
  });
  return { id, dimensions: dimensions.map(dimension) };
}

/** Of ports to physical networks. */
const PHYSICAL = 'physical:';

/** The name of a port: its interface, its encapsulation, `underlay`, `physical:` and the name of the network, else its number. */
export function portText(site: RealmSite, port: number): string {
  const encap = [...site.tunnels].find(([, ofport]) => ofport === port)?.[0];
  if (encap !== undefined) return encap;
  if (port === site.direct?.port) return 'underlay';
  const physical = site.physicalAt(port);
  return physical === undefined ? (site.interfaceAt(port) ?? String(port)) : `${PHYSICAL}${physical}`;
}

/** Ports have numbers of their own here: the name says which is meant. */
function withPortNames(site: RealmSite, text: string): string {
  return text.replaceAll(
    /\b(output:|in_port=)(\d+)/g,
    (_all, before: string, port: string) => `${before}"${portText(site, Number(port))}"`,
  );
}

/** Header fields of a packet, for people. */
export function headers(packet: Microflow): Record<string, string> {
  const fields = Object.entries(packet.toFields()) as [FieldName, number | bigint][];
  return Object.fromEntries(fields.filter(([field]) => !INTERNAL.test(field)).map(([field, value]) => [field, fieldText(field, value)]));
}

/** Header fields that differ, but for the TTL. */
export function rewritten(before: Microflow, after: Microflow): TraceHop['rewrites'] {
  const [was, is] = [headers(before), headers(after)];
  const fields = Object.keys(is).filter((field) => field !== 'nw_ttl' && field in was && was[field] !== is[field]);
  return Object.fromEntries(fields.map((field) => [field, { before: was[field]!, after: is[field]! }]));
}

const MACS = /^(eth_(src|dst)|arp_[st]ha|nd_[st]ll)$/;
const IPV4 = /^(ip_(src|dst)|arp_[st]pa)$/;
const IPV6 = /^(ipv6_(src|dst)|nd_target)$/;

function fieldText(field: FieldName, value: number | bigint): string {
  if (MACS.test(field)) return formatMac(Number(value));
  if (IPV4.test(field)) return formatIpv4(Number(value));
  if (IPV6.test(field)) return formatIpv6(BigInt(value));
  return field === 'eth_type' ? `0x${value.toString(16).padStart(4, '0')}` : String(value);
}

function stateText(state: number): string {
  return Object.entries(CT_STATE)
    .filter(([, bit]) => (state & bit) !== 0)
    .map(([name]) => name)
    .join(',');
}

export function tunnelsOf(realm: Realm, { visits }: Passage): TraceTunnel[] {
  return visits.flatMap(({ from, datapath_uuid: to, packet }) => {
    if (from === undefined) return [];
    const { datapath_uuid: origin } = visits[from]!;
    const arrived = Microflow.from(packet);
    const site = realm.at(to)!;
    const encapsulation = [...site.tunnels].find(([, port]) => port === arrived.number('in_port'))?.[0] ?? null;
    const [local, remote] = [tunnelEnd(arrived, 'src'), tunnelEnd(arrived, 'dst')];
    const vni = encapsulation === null ? null : arrived.number('tun_id');
    return [
      { from: origin, to, encapsulation, local, remote, vni, mtu: encapsulation === null ? null : tunnelMtu(realm.model, origin, to) },
    ];
  });
}

function tunnelMtu(model: ModelView, from: string, to: string): number | null {
  const [own, far] = [from, to].map((uuid) => entityOf(model, 'chassis', `ch-${uuid}`));
  const pairing = own && far && pairingOf(own, far);
  return pairing === undefined || typeof pairing === 'string' ? null : pairing.mtu;
}

/** Rules of security groups that let it pass, in the order in which they were asked; none where it did not pass, whatever let it come so far. */
export function admittedBy(realm: Realm, { visits }: Passage, verdict: TraceVerdict): string[] {
  if (verdict === 'dropped' || verdict === 'rejected') return [];
  const rules = visits.flatMap(({ datapath_uuid, trace }) => {
    const site = realm.at(datapath_uuid)!;
    return trace.outputs.flatMap(({ packet }) =>
      (['egress_rule', 'ingress_rule'] as const).flatMap((side) => {
        const fact = new Names(site.look).ruleIn(packet, side);
        return fact === undefined ? [] : [fact.rule.uuid];
      }),
    );
  });
  return [...new Set(rules)];
}
