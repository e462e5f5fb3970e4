/**
 * Services that rules tell apart.
 *
 * Owns: cutting the ports of each protocol where rules of groups, filters, policy routes and translations do, and which of the parts to ask about.
 * Promises: no rule tells two ports of one part from another.
 */
import type { Entity } from '../../model/entities.js';
import { formatPortRange, parsePortRange, type PortRange } from '../../net/ranges.js';
import { hasPorts, type TraceProtocol } from '../explain/question.js';
import type { ReachService } from './question.js';

export interface ServicePart {
  readonly ask: ReachService;
  /** The ports it stands for; null: those that no rule names, or a protocol without ports. */
  readonly ports: string | null;
}

/** One port or type that a rule names. */
interface Named {
  readonly protocol: string;
  readonly ranges: readonly PortRange[];
  readonly icmp_type?: number | null;
}

const PORTED = ['tcp', 'udp', 'sctp'] as const satisfies readonly TraceProtocol[];
const LAST_PORT = 65_535;
/** Of the ports that nobody names the first from here on is asked about. */
const UNNAMED_FROM = 40_001;

/** What the entities tell apart, and always an echo request and a TCP port that none of them names. In order of protocol and port. */
export function servicesToldApart(entities: Iterable<Entity>): ServicePart[] {
  const named = [...entities].flatMap(namedBy);
  const parts: ServicePart[] = [{ ask: { protocol: 'icmp' }, ports: null }];
  for (const type of new Set(named.flatMap(({ icmp_type }) => icmp_type ?? [])))
    if (type !== 8 && type !== 128) parts.push({ ask: { protocol: 'icmp', icmp_type: type }, ports: null });
  for (const protocol of PORTED) {
    const ranges = named.flatMap((one) => (one.protocol === protocol ? one.ranges : []));
    for (const part of cut(ranges)) parts.push({ ask: { protocol, port: Math.max(1, part.lo) }, ports: formatPortRange(part) });
    const isMeant = protocol === 'tcp' || named.some((one) => one.protocol === protocol);
    const free = isMeant ? unnamedPort(ranges) : undefined;
    if (free !== undefined) parts.push({ ask: { protocol, port: free }, ports: null });
  }
  return parts;
}

/** The parts within at least one of the ranges, cut where any begins or ends; ascending. */
function cut(ranges: readonly PortRange[]): PortRange[] {
  const edges = [...new Set(ranges.flatMap(({ lo, hi }) => [lo, hi + 1]))].sort((a, b) => a - b);
  return edges.slice(1).flatMap((end, at): PortRange[] => {
    const part = { lo: edges[at]!, hi: end - 1 };
    return part.hi >= 1 && ranges.some(({ lo, hi }) => lo <= part.lo && part.hi <= hi) ? [part] : [];
  });
}

function unnamedPort(ranges: readonly PortRange[]): number | undefined {
  for (let at = 0; at < LAST_PORT; at++) {
    const port = ((UNNAMED_FROM - 1 + at) % LAST_PORT) + 1;
    if (!ranges.some(({ lo, hi }) => lo <= port && port <= hi)) return port;
  }
  return undefined;
}

function namedBy(entity: Entity): Named[] {
  switch (entity.kind) {
    case 'security_group':
      return entity.rules.map(({ protocol, ports, icmp_type }) => ({ protocol, ranges: ports.map(parsePortRange), icmp_type }));
    case 'policy_route':
      return [{ protocol: entity.protocol, ranges: entity.ports.map(parsePortRange) }];
    case 'filter':
      return entity.statics.map(({ protocol, dst_port }) => ({
        protocol,
        ranges: dst_port === null ? [] : [{ lo: dst_port, hi: dst_port }],
      }));
    case 'translation':
      return entity.static_addresses.flatMap(({ ingress_port_number: port }) =>
        (['tcp', 'udp'] as const).map((protocol) => ({ protocol, ranges: port === null ? [] : [{ lo: port, hi: port }] })),
      );
    default:
      return [];
  }
}

/** `tcp 8000-8100`, `other tcp`, `icmp type 3`. */
export function serviceText({ ask: { protocol, icmp_type }, ports }: ServicePart): string {
  if (!hasPorts(protocol)) return icmp_type === undefined ? protocol : `${protocol} type ${icmp_type}`;
  return ports === null ? `other ${protocol}` : `${protocol} ${ports}`;
}
