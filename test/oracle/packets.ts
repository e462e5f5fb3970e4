/**
 * Random packets that a network might see.
 *
 * Owns: what VMs of a small world send: what is right, what is nearly right, and what is forged.
 * Promises: every packet has the fields its kind has and no others, as a switch extracts them.
 */
import { ipv6MulticastMac } from '../../flows/net/mac.js';
import { solicitedNode } from '../../flows/net/ip.js';
import { CT_STATE, ETH_TYPE, FRAG, IP_PROTO } from '../../flows/trace/prerequisite.js';
import type { FieldName } from '../../flows/openflow/fields.js';
import type { FieldValue } from '../../flows/openflow/match.js';
import type { FieldRecord } from '../../flows/trace/microflow.js';
import type { TracedPacket } from '../../flows/trace/switch/agreement.js';
import type { Random } from './random.js';

/** Something with addresses: a VM, a router port, a host elsewhere. */
export interface Endpoint {
  readonly mac: number;
  readonly ipv4: readonly number[];
  readonly ipv6: readonly bigint[];
}

export interface LocalEndpoint extends Endpoint {
  /** OpenFlow port. */
  readonly port: number;
  /** MACs of the routers of its networks. */
  readonly gateways?: readonly number[] | undefined;
}

export interface PacketWorld {
  /** Who sends. */
  readonly local: readonly LocalEndpoint[];
  /** Who else may be sent to. */
  readonly others: readonly Endpoint[];
  /** TCP and UDP ports worth trying. */
  readonly services: readonly number[];
}

type Mutable = Partial<Record<FieldName, FieldValue>>;

const BROADCAST = 0xffff_ffff_ffff;
const TCP_FLAGS = [0x002, 0x012, 0x010, 0x018, 0x011, 0x004] as const;
const { new: NEW, est: EST, rel: REL, rpl: RPL, inv: INV, trk: TRK } = CT_STATE;
const CT_ANSWERS = [NEW, NEW, NEW, EST, EST | RPL, REL, REL | RPL, INV].map((state) => state | TRK);

export class PacketMaker {
  readonly #world: PacketWorld;
  readonly #random: Random;

  constructor(world: PacketWorld, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  packet(): TracedPacket {
    const random = this.#random;
    const fields = random.choose(
      [3, () => this.#arp()],
      [3, () => this.#neighbourDiscovery()],
      [1, () => this.#routerSolicit()],
      [1, () => this.#dhcp()],
      [8, () => this.#ip(ETH_TYPE.ipv4)],
      [8, () => this.#ip(ETH_TYPE.ipv6)],
      [1, () => ({ ...this.#frame(this.#sender()), eth_type: random.pick([0x88cc, 0x88f7, 0x9000]) })],
    );
    return { fields: this.#disturbed(fields), ct: random.times(random.below(5), () => random.pick(CT_ANSWERS)) };
  }

  #sender(): LocalEndpoint {
    return this.#random.pick(this.#world.local);
  }

  #anyone(): Endpoint {
    return this.#random.pick([...this.#world.local, ...this.#world.others]);
  }

  #stranger(): Endpoint {
    const random = this.#random;
    return { mac: Number(random.bigint(48) & ~(1n << 40n)), ipv4: [random.word()], ipv6: [random.bigint(128)] };
  }

  #target(): Endpoint {
    return this.#random.oneIn(8) ? this.#stranger() : this.#anyone();
  }

  #frame(sender: LocalEndpoint): Mutable {
    return { in_port: sender.port, eth_src: sender.mac, eth_dst: this.#target().mac };
  }

  #ipv4(of: Endpoint): number {
    return of.ipv4.length > 0 ? this.#random.pick(of.ipv4) : this.#random.word();
  }

  #ipv6(of: Endpoint): bigint {
    return of.ipv6.length > 0 ? this.#random.pick(of.ipv6) : this.#random.bigint(128);
  }

  #arp(): Mutable {
    const random = this.#random;
    const sender = this.#sender();
    const request = !random.oneIn(3);
    const target = this.#target();
    return {
      ...this.#frame(sender),
      eth_dst: request && !random.oneIn(4) ? BROADCAST : target.mac,
      eth_type: ETH_TYPE.arp,
      arp_op: request ? 1 : 2,
      arp_spa: random.oneIn(10) ? 0 : this.#ipv4(sender),
      arp_tpa: this.#ipv4(random.oneIn(10) ? sender : target),
      arp_sha: sender.mac,
      arp_tha: request ? 0 : target.mac,
    };
  }

  #neighbourDiscovery(): Mutable {
    const random = this.#random;
    const sender = this.#sender();
    const target = this.#target();
    const asked = this.#ipv6(random.oneIn(10) ? sender : target);
    const solicit = !random.oneIn(3);
    const multicast = solicit && !random.oneIn(4);
    const type = solicit ? 135 : 136;
    return {
      ...this.#ipHeader(ETH_TYPE.ipv6, sender, target),
      eth_dst: multicast ? ipv6MulticastMac(solicitedNode(asked)) : target.mac,
      ipv6_src: solicit && random.oneIn(6) ? 0n : this.#ipv6(sender),
      ipv6_dst: multicast ? solicitedNode(asked) : this.#ipv6(target),
      nw_proto: IP_PROTO.icmpv6,
      nw_ttl: random.oneIn(10) ? 64 : 255,
      icmpv6_type: type,
      icmpv6_code: 0,
      nd_target: solicit ? asked : this.#ipv6(random.oneIn(4) ? target : sender),
      ...(solicit ? { nd_sll: random.oneIn(4) ? 0 : sender.mac } : { nd_tll: sender.mac }),
    };
  }

  #routerSolicit(): Mutable {
    const sender = this.#sender();
    const to = 0xff02_0000_0000_0000_0000_0000_0000_0002n;
    const header = { ...this.#ipHeader(ETH_TYPE.ipv6, sender, sender), eth_dst: ipv6MulticastMac(to), ipv6_dst: to, nw_ttl: 255 };
    return { ...header, nw_proto: IP_PROTO.icmpv6, icmpv6_type: this.#random.pick([133, 133, 133, 134, 137]), icmpv6_code: 0 };
  }

  #dhcp(): Mutable {
    const random = this.#random;
    const sender = this.#sender();
    const v6 = random.oneIn(3);
    const [from, to] = v6 ? [546, 547] : [68, 67];
    const group = 0xff02_0000_0000_0000_0000_0000_0001_0002n;
    const addresses = v6
      ? { ipv6_dst: group, eth_dst: ipv6MulticastMac(group) }
      : { ip_src: random.oneIn(3) ? this.#ipv4(sender) : 0, ip_dst: 0xffff_ffff, eth_dst: BROADCAST };
    const ports = random.oneIn(5) ? { udp_src: to, udp_dst: from } : { udp_src: from, udp_dst: to };
    return { ...this.#ipHeader(v6 ? ETH_TYPE.ipv6 : ETH_TYPE.ipv4, sender, sender), ...addresses, nw_proto: IP_PROTO.udp, ...ports };
  }

  #ip(type: number): Mutable {
    const random = this.#random;
    const sender = this.#sender();
    const header = this.#ipHeader(type, sender, this.#target());
    const v4 = type === ETH_TYPE.ipv4;
    const service = (): number => (random.oneIn(6) ? random.below(0x10000) : random.pick(this.#world.services));
    return random.choose<Mutable>(
      [4, () => ({ ...header, nw_proto: IP_PROTO.tcp, tcp_src: service(), tcp_dst: service(), tcp_flags: random.pick(TCP_FLAGS) })],
      [3, () => ({ ...header, nw_proto: IP_PROTO.udp, udp_src: service(), udp_dst: service() })],
      [1, () => ({ ...header, nw_proto: IP_PROTO.sctp, sctp_src: service(), sctp_dst: service() })],
      [3, () => ({ ...header, ...this.#icmp(v4) })],
      [1, () => ({ ...header, nw_proto: random.pick([47, 50, 89, 112]) })],
    );
  }

  #icmp(v4: boolean): Mutable {
    const random = this.#random;
    if (v4) return { nw_proto: IP_PROTO.icmp, icmp_type: random.pick([8, 8, 8, 0, 3, 11]), icmp_code: random.pick([0, 0, 0, 1, 4]) };
    return { nw_proto: IP_PROTO.icmpv6, icmpv6_type: random.pick([128, 128, 128, 129, 1, 2, 3]), icmpv6_code: random.pick([0, 0, 0, 1]) };
  }

  #ipHeader(type: number, sender: LocalEndpoint, target: Endpoint): Mutable {
    const random = this.#random;
    const addresses =
      type === ETH_TYPE.ipv4
        ? { ip_src: this.#ipv4(sender), ip_dst: this.#ipv4(target) }
        : { ipv6_src: this.#ipv6(sender), ipv6_dst: this.#ipv6(target), ipv6_label: random.oneIn(4) ? random.below(1 << 20) : 0 };
    const eth_dst = random.oneIn(6) ? this.#anyone().mac : this.#nextHop(sender, target);
    const nw_ttl = random.choose([6, () => 64], [2, () => random.below(5)], [1, () => 255]);
    return { ...this.#frame(sender), eth_dst, eth_type: type, ...addresses, nw_ttl, nw_tos: random.oneIn(4) ? random.below(64) << 2 : 0 };
  }

  #nextHop(sender: LocalEndpoint, target: Endpoint): number {
    const { gateways = [] } = sender;
    return gateways.length === 0 || shareNetwork(sender, target) ? target.mac : this.#random.pick(gateways);
  }

  /** One packet in three is not what it should be. */
  #disturbed(fields: Mutable): FieldRecord {
    const random = this.#random;
    if (!random.oneIn(3)) return fields;
    const other = random.oneIn(2) ? this.#stranger() : this.#anyone();
    return random.choose<FieldRecord>(
      [2, () => ({ ...fields, eth_src: other.mac })],
      [2, () => ('ip_src' in fields ? { ...fields, ip_src: this.#ipv4(other) } : fields)],
      [2, () => ('ipv6_src' in fields ? { ...fields, ipv6_src: this.#ipv6(other) } : fields)],
      [2, () => ('arp_spa' in fields ? { ...fields, arp_spa: this.#ipv4(other), arp_sha: other.mac } : fields)],
      [1, () => ({ ...fields, eth_src: Number(fields.eth_src) + 0x0100_0000_0000 })],
      [1, () => ({ ...fields, eth_dst: random.pick([BROADCAST, 0x0100_5e00_0016, 0x3333_0000_0016]) })],
      [1, () => ({ ...fields, vlan_vid: 0x1000 | random.below(4096), vlan_pcp: random.below(8) })],
      [2, () => fragment(fields, random.oneIn(2))],
      [1, () => ({ ...fields, in_port: 4000 })],
    );
  }
}

/** Whether two have addresses in one /24 or /64. */
function shareNetwork(a: Endpoint, b: Endpoint): boolean {
  return (
    a.ipv4.some((one) => b.ipv4.some((other) => one >>> 8 === other >>> 8)) ||
    a.ipv6.some((one) => b.ipv6.some((other) => one >> 64n === other >> 64n))
  );
}

/** A first or a later fragment; the latter has no transport header. */
function fragment(fields: Mutable, later: boolean): FieldRecord {
  if (fields.nw_proto === undefined) return fields;
  if (!later) return { ...fields, ip_frag: FRAG.any };
  const kept = Object.entries(fields).filter(([field]) => !/^(tcp|udp|sctp|icmp|icmpv6|nd)_/.test(field));
  return { ...Object.fromEntries(kept), ip_frag: FRAG.any | FRAG.later };
}
