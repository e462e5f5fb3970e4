/**
 * Why a packet ended as it did, in words.
 *
 * Owns: verdict and reason of an ending. What is specific to one drop reason is in drop-reasons.ts.
 */
import type { PuntKind } from '../../pipeline/punt.js';
import { DROP_REASONS, TABLES } from '../../pipeline/tables.js';
import type { Punt, Trace } from '../result.js';
import type { TraceReason, TraceVerdict } from './answer.js';
import { deciderOf, hitIn, type Decider } from './decider.js';
import { dropDetail, type DropDetail } from './drop-reasons.js';
import { endingIn, type Ends } from './ends.js';
import { addressesOf, dropReason, interfaceName, Names } from './names.js';
import { addressesIn } from './packet.js';
import type { Ending, Passage } from './passage.js';
import type { Realm, RealmSite } from './realm.js';
import { physicalNameOf } from '../../model/gateways.js';
import { formatIp } from '../../net/ip.js';
import { formatMac } from '../../net/mac.js';

export interface Judgement {
  readonly verdict: TraceVerdict;
  readonly reason: TraceReason;
}

/** What a sender is told by a router, or in the name of a receiver. */
const TOLD: Partial<Record<PuntKind, string>> = {
  time_exceeded: 'time exceeded',
  net_unreachable: 'network unreachable',
  host_unreachable: 'host unreachable',
  port_unreachable: 'port unreachable, TCP a reset',
  protocol_unreachable: 'protocol unreachable',
  prohibited: 'administratively prohibited',
  too_big: 'packet too big',
  reject: 'administratively prohibited, TCP a reset',
  beyond_scope: 'beyond the scope of its source address',
};

const SERVED: Partial<Record<PuntKind, string>> = { dhcpv4: 'DHCP', router_solicit: 'router advertisement' };

export function judge(realm: Realm, passage: Passage, ends: Ends): Judgement {
  const { ending } = passage;
  const visit = passage.visits[ending.visit]!;
  const site = realm.at(visit.datapath_uuid)!;
  const at = (code: string, text: string, uuids: readonly string[], decider?: Decider, more: Partial<TraceReason> = {}): TraceReason => ({
    code,
    text,
    uuids: [...uuids],
    datapath_uuid: visit.datapath_uuid,
    table: decider?.table ?? null,
    cookie: decider === undefined ? null : cookieText(decider.cookie),
    told: null,
    nearest: null,
    ...more,
  });
  switch (ending.kind) {
    case 'undecidable':
      return { verdict: 'undecidable', reason: at('unknown', `it depends on what is not known here: ${ending.why}`, []) };
    case 'lost':
      return { verdict: 'dropped', reason: at('switch', ending.why, [visit.datapath_uuid]) };
    case 'outside':
      return leftFor(ending, ends, at);
    case 'answered':
      return answered(ending, visit.trace, site, at);
    case 'delivered':
      return delivered(realm, ending, ends, at);
    case 'dropped': {
      const decider = deciderOf(visit.trace, ending.drop.pass, ending.drop.packet, site);
      const { code, text, uuids, nearest } = detailOf(realm, passage, site, decider, ending.drop.packet, ends);
      return { verdict: 'dropped', reason: at(code, text, uuids, decider, { nearest: nearest ?? null }) };
    }
    case 'punted': {
      const { punt, what } = ending;
      const decider = puntedBy(visit.trace, punt, site) ?? deciderOf(visit.trace, punt.pass, punt.packet, site);
      const served = SERVED[what];
      if (served !== undefined)
        return { verdict: 'answered', reason: at(what, `${served} is answered by the agent of ${visit.datapath_uuid}`, [], decider) };
      const told = TOLD[what];
      if (told === undefined)
        return {
          verdict: 'undecidable',
          reason: at(what, `it depends on what the agent of ${visit.datapath_uuid} makes of it`, [], decider),
        };
      const detail = detailOf(realm, passage, site, decider, punt.packet, ends, what);
      const { code, text, uuids, nearest } = detail;
      return { verdict: 'rejected', reason: at(code, text, uuids, decider, { told, nearest: nearest ?? null }) };
    }
  }
}

/** A rule that rejects punts at once, before anything says why it is dropped. */
function puntedBy(trace: Trace, { table }: Punt, site: RealmSite): Decider | undefined {
  const policy = (['EG_POLICY', 'IN_POLICY'] as const).find((name) => TABLES[name].id === table);
  return policy && hitIn(trace, policy, site);
}

type Writer = (code: string, text: string, uuids: readonly string[], decider?: Decider) => TraceReason;

function answered(ending: Extract<Ending, { kind: 'answered' }>, trace: Trace, site: RealmSite, at: Writer): Judgement {
  const { output } = ending.delivered;
  const decider = deciderOf(trace, output.pass, output.packet, site);
  const { src } = addressesIn(output.packet) ?? {};
  const who = src === undefined ? 'it' : formatIp(src);
  const router = new Names(site.look).routerIn(output.packet);
  const uuids = router === undefined ? (decider?.made?.uuids ?? []) : [router.router_uuid ?? router.uuid];
  return { verdict: 'answered', reason: at('answered', `${who} is answered for by flows of ${site.datapath_uuid}`, uuids, decider) };
}

/** Out of what is known here: but for whoever has shown that it is there. */
function leftFor({ physical_network, neighbor, packet }: Extract<Ending, { kind: 'outside' }>, { outsider }: Ends, at: Writer): Judgement {
  const dst = addressesIn(packet)?.dst;
  const target = dst === undefined ? undefined : formatIp(dst);
  const next = neighbor ?? target ?? formatMac(packet.number('eth_dst'));
  const isThere = outsider !== undefined && physicalNameOf(outsider.network) === physical_network && formatIp(outsider.ip) === next;
  if (isThere) return { verdict: 'delivered', reason: at('delivered', `delivered to ${next} outside, in ${physical_network}`, []) };
  const does = target === undefined || target === next ? 'does with it' : `does with a packet for ${target}`;
  const text = `it leaves for ${physical_network}, and depends on ${next} there: whether that answers for its MAC, and what it ${does}`;
  return { verdict: 'undecidable', reason: at('left_the_overlay', text, []) };
}

function delivered(realm: Realm, ending: Extract<Ending, { kind: 'delivered' }>, ends: Ends, at: Writer): Judgement {
  const {
    interface_uuid,
    delivered: { output, datapath_uuid },
  } = ending;
  if (interface_uuid === null)
    return {
      verdict: 'undecidable',
      reason: at('left_the_overlay', `it leaves ${datapath_uuid} by port ${output.port}, and what is there is not known here`, []),
    };
  const iface = realm.model.get(interface_uuid);
  const name = iface?.kind === 'interface' ? interfaceName(iface) : interface_uuid;
  const target = addressesIn(output.packet)?.dst;
  if (target !== undefined && !endingIn(realm.model, interface_uuid, target))
    return {
      verdict: 'undecidable',
      reason: at(
        'handed_to_host',
        `it is handed to ${name} (${addressesOf(realm.model, interface_uuid).join(', ')}), and depends on what that does with a packet for ${formatIp(target)}`,
        [interface_uuid],
      ),
    };
  const expected = ends.receiver?.iface.uuid;
  const isTranslated = target !== undefined && formatIp(target) !== formatIp(ends.target);
  const instead = isTranslated
    ? `, as ${formatIp(target)},`
    : expected !== undefined && expected !== interface_uuid
      ? `, not ${expected},`
      : '';
  return { verdict: 'delivered', reason: at('delivered', `delivered to ${name}${instead} on ${datapath_uuid}`, [interface_uuid]) };
}

function detailOf(
  realm: Realm,
  passage: Passage,
  site: RealmSite,
  decider: Decider | undefined,
  end: Parameters<typeof dropReason>[0],
  ends: Ends,
  punt?: PuntKind,
): DropDetail {
  const code = dropReason(end) ?? (punt === 'too_big' ? 'too_big' : undefined);
  if (code === undefined && punt !== 'reject')
    return { code: punt ?? 'no_output', text: 'no flow sends it anywhere', uuids: decider?.made?.uuids ?? [] };
  const visit = passage.visits[passage.ending.visit]!;
  const written = dropDetail({ realm, site, visit, code: code ?? 'ingress_rule', decider, packet: end, ends, punt });
  return written ?? { code: code!, text: DROP_REASONS[code!].says, uuids: decider?.made?.uuids ?? [] };
}

export function cookieText(cookie: bigint): string {
  return `0x${cookie.toString(16).padStart(16, '0')}`;
}
