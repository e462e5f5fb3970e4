/**
 * What two hypervisors agree on without talking to each other.
 *
 * Owns: the choice of encapsulation and underlay addresses of a pair, and what is left of the underlay's MTU.
 * Promises: both ends come to the same answer from the two records, whichever they call their own.
 */
import { encapsulation, type Chassis, type ChassisEndpoint, type Encapsulation } from '../model/entities/presence.js';

/** A hypervisor's own side of a pair. */
export type Side = Pick<Chassis, 'datapath_uuid' | 'endpoints' | 'encaps'>;

export interface Pairing {
  readonly encap: Encapsulation;
  /** Underlay addresses of the side asked for and of the other one, of one family. */
  readonly local: ChassisEndpoint;
  readonly remote: ChassisEndpoint;
  /** Bytes of the longest inner IP packet. */
  readonly mtu: number;
}

/** Why two hypervisors cannot reach each other. */
export type Unpaired = 'no_common_encapsulation' | 'no_common_family';

const INNER_ETHERNET = 14;
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

/** Whether frames may go between two hypervisors as they are, and the longest IP packet in them: both have, and allow it on, one physical L2. */
export function directMtu(own: Side, other: Side): number | undefined {
  const onL2 = own.endpoints.flatMap((one) =>
    other.endpoints.flatMap((end) =>
      one.underlay === end.underlay && one.mac !== null && end.mac !== null ? [Math.min(one.mtu, end.mtu)] : [],
    ),
  );
  return onL2.length === 0 ? undefined : Math.min(...onL2);
}

export function pairingOf(own: Side, other: Side): Pairing | Unpaired {
  const encap = commonEncapsulation(own, other);
  if (encap === undefined) return 'no_common_encapsulation';
  const isFirst = own.datapath_uuid < other.datapath_uuid;
  const ends = isFirst ? commonAddresses(own, other) : commonAddresses(other, own);
  if (ends === undefined) return 'no_common_family';
  const [local, remote] = isFirst ? ends : [ends[1], ends[0]];
  return { encap, local, remote, mtu: Math.min(local.mtu, remote.mtu) - overheadOf(encap, familyOf(local)) };
}
