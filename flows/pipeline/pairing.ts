/**
 * What two hypervisors agree on without talking to each other.
 *
 * Owns: the choice of encapsulation and underlay addresses of a pair, and what is left of the underlay's MTU.
 * Promises: both ends come to the same answer from the two records, whichever they call their own.
 */
import { encapsulation, type Chassis, type ChassisEndpoint, type Encapsulation } from '../model/entities/presence.js';
import type { Tunnel } from '../model/entities/tunnel.js';

/** Where tunnels to a hypervisor end, and by which encapsulations. */
export type Offer = Pick<Chassis, 'endpoints' | 'encaps' | 'underlay'>;

/** A hypervisor's own side of a pair. */
export type Side = Offer & Pick<Chassis, 'datapath_uuid'>;

/** What is said of a pair beyond what its hypervisors report. */
export interface Terms {
  /** The addresses to be used, canonical text; absent: the best that both report. */
  readonly ends?: { readonly local: string; readonly remote: string } | undefined;
  /** Absent: the best encapsulation that both offer, and frames without a tunnel wherever they can go. */
  readonly tunnel?: Pick<Tunnel, 'encapsulation' | 'mac2mac'> | undefined;
}

export interface Pairing {
  readonly encap: Encapsulation;
  /** Underlay addresses of the side asked for and of the other one, of one family. */
  readonly local: ChassisEndpoint;
  readonly remote: ChassisEndpoint;
  /** Bytes of the longest inner IP packet. */
  readonly mtu: number;
}

/** Why two hypervisors cannot reach each other. */
export type Unpaired = 'no_common_encapsulation' | 'no_common_family' | 'encapsulation_not_offered';

const INNER_ETHERNET = 14;
const USUAL_MTU = 1500;
/** Header of the encapsulation with all that we put into it: UDP 8, Geneve 8 and an option of 8; UDP 8, VXLAN 8; GRE 4 and a key of 4. */
const HEADER = { geneve: 24, vxlan: 16, gre: 8 } as const satisfies Record<Encapsulation, number>;

/** Bytes between the inner and the outer IP packet. */
export function overheadOf(encap: Encapsulation, underlay: 'ipv4' | 'ipv6'): number {
  return (underlay === 'ipv4' ? 20 : 40) + HEADER[encap] + INNER_ETHERNET;
}

export function familyOf({ address }: Pick<ChassisEndpoint, 'address'>): 'ipv4' | 'ipv6' {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}

/** The encapsulation that both offer and that is, ranks added up, preferred most; of several the first of Geneve, VXLAN, GRE. */
function commonEncapsulation(a: Side, b: Side): Encapsulation | undefined {
  let best: { readonly encap: Encapsulation; readonly rank: number } | undefined;
  for (const encap of encapsulation.options) {
    const ranks = [a, b].map(({ encaps }) => encaps.indexOf(encap));
    if (ranks.some((rank) => rank < 0)) continue;
    const rank = ranks[0]! + ranks[1]!;
    if (best === undefined || rank < best.rank) best = { encap, rank };
  }
  return best?.encap;
}

/** Addresses of one family, on one L2 if there are such; preferred by both, ties decided by the side whose uuid sorts first. */
function commonAddresses(first: Side, second: Side): readonly [ChassisEndpoint, ChassisEndpoint] | undefined {
  let best: { readonly ends: readonly [ChassisEndpoint, ChassisEndpoint]; readonly cost: number } | undefined;
  for (const [i, one] of first.endpoints.entries())
    for (const [j, other] of second.endpoints.entries()) {
      if (familyOf(one) !== familyOf(other)) continue;
      const cost = (one.underlay === other.underlay ? 0 : 1000) + i + j;
      if (best === undefined || cost < best.cost) best = { ends: [one, other], cost };
    }
  return best?.ends;
}

/** Every pair of addresses by which the two could reach each other, each once. */
export function addressPairs(own: Offer, other: Offer): readonly (readonly [ChassisEndpoint, ChassisEndpoint])[] {
  return distinct(own).flatMap((local) =>
    distinct(other).flatMap((remote) => (familyOf(local) === familyOf(remote) ? [[local, remote] as const] : [])),
  );
}

function distinct({ endpoints }: Offer): readonly ChassisEndpoint[] {
  return [...new Map(endpoints.map((end) => [end.address, end])).values()];
}

/** Whether frames may go between two hypervisors as they are, and the longest IP packet in them: both have, and allow it on, one physical L2. */
export function directMtu(own: Offer, other: Offer, { tunnel }: Pick<Terms, 'tunnel'> = {}): number | undefined {
  if (tunnel?.mac2mac === false) return undefined;
  const onL2 = placesOf(own).flatMap((one) =>
    placesOf(other).flatMap((end) =>
      one.underlay === end.underlay && one.mac !== null && end.mac !== null ? [Math.min(one.mtu, end.mtu)] : [],
    ),
  );
  return onL2.length === 0 ? undefined : Math.min(...onL2);
}

/** Where a hypervisor is attached, whether or not it says its address there. */
function placesOf({ endpoints, underlay }: Offer): readonly NonNullable<Chassis['underlay']>[] {
  return underlay === null ? endpoints : [...endpoints, underlay];
}

/** What is known of an address that somebody else says a hypervisor has. */
function endpointAt({ endpoints, underlay }: Side, address: string): ChassisEndpoint {
  const around = underlay ?? endpoints[0] ?? { mac: null, underlay: '', mtu: USUAL_MTU };
  return endpoints.find((end) => end.address === address) ?? { ...around, address };
}

function endsOf(own: Side, other: Side, ends: Terms['ends']): readonly [ChassisEndpoint, ChassisEndpoint] | undefined {
  if (ends !== undefined) {
    const [local, remote] = [endpointAt(own, ends.local), endpointAt(other, ends.remote)];
    return familyOf(local) === familyOf(remote) ? [local, remote] : undefined;
  }
  if (own.datapath_uuid < other.datapath_uuid) return commonAddresses(own, other);
  const found = commonAddresses(other, own);
  return found && [found[1], found[0]];
}

export function pairingOf(own: Side, other: Side, terms: Terms = {}): Pairing | Unpaired {
  const encap = terms.tunnel?.encapsulation ?? commonEncapsulation(own, other);
  if (encap === undefined) return 'no_common_encapsulation';
  if (![own, other].every(({ encaps }) => encaps.includes(encap))) return 'encapsulation_not_offered';
  const ends = endsOf(own, other, terms.ends);
  if (ends === undefined) return 'no_common_family';
  const [local, remote] = ends;
  return { encap, local, remote, mtu: Math.min(local.mtu, remote.mtu) - overheadOf(encap, familyOf(local)) };
}
