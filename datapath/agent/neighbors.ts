/**
 * Who is outside, next to the gateways of this hypervisor.
 *
 * Owns: asking for MACs (ARP, neighbour discovery), what is known of them, packets that wait for one; telling outside when a gateway has come here.
 * Assumes: the switch hands over what is for a neighbour it does not know, and what neighbours answer to a gateway.
 * Promises: next hops of routes are asked for as long as the gateway is here, others when something is for them, and again while they are known. Who does not
 * answer is forgotten, and whoever sent what waits for it is told. Neighbours and waiting packets are limited; a packet waits for one neighbour and no longer than it is asked for.
 */
import type { Gateway, Neighbor } from '../../flows/compile/contract.js';
import { cidrContains } from '../../flows/net/cidr.js';
import { formatIp, parseIp, type Ip } from '../../flows/net/ip.js';
import { ARP_OP, decodeArp } from '../../flows/packet/arp.js';
import { decodeEthernet, encodeEthernet } from '../../flows/packet/ethernet.js';
import { decodeIcmpv6 } from '../../flows/packet/icmp.js';
import { decodeIpv4 } from '../../flows/packet/ipv4.js';
import { decodeIpv6 } from '../../flows/packet/ipv6.js';
import { decodeNd } from '../../flows/packet/nd.js';
import { ETH_TYPE } from '../../flows/packet/numbers.js';
import { addressAnnouncement, arpRequestFrame, neighborSolicitFrame } from '../../flows/packet/probes.js';
import { neighborUuid } from '../../flows/pipeline/outside.js';
import type { PuntedFrame } from '../respond/contract.js';
import type { Clock } from './clock.js';
import { Wakeup } from './wakeup.js';

export interface NeighborsOptions {
  /** Those that are here now, and others; the same list for as long as none differs. */
  readonly gateways: () => readonly Gateway[];
  /** Sends a frame out of a port. @returns false when there is no connection */
  readonly send: (frame: Uint8Array, ofport: number) => boolean;
  /** Tells who sent a packet, which was handed over, that it does not get there. */
  readonly refuse: (frame: PuntedFrame) => void;
  /** What was known before this process began. */
  readonly before: () => readonly Neighbor[];
  /** `records` differs. */
  readonly onChange: () => void;
  readonly clock: Clock;
}

interface Entry {
  gateway: Gateway;
  readonly ip: Ip;
  mac: number | undefined;
  /** Of a route: asked for, whether or not it answers. */
  isNextHop: boolean;
  /** Times asked since the last answer. */
  asked: number;
  /** When to ask again. */
  due: number;
  readonly waiting: PuntedFrame[];
}

const MAX_ENTRIES = 4_096;
const MAX_WAITING = 4;
/** Pauses after each time of asking. The first answer may come before the flows of a gateway that has just come; then as RFC 4861 §10, RETRANS_TIMER. */
const RETRY_MS = [50, 150, 800, 1_000, 1_000];
const CONFIRM_MS = 15_000;
const NEVER_HEARD_MS = 5_000;
/** A gateway that comes is announced this often, for an announcement may be lost. */
const ANNOUNCE_MS = [0, 100, 500, 2_000];

export class Neighbors {
  readonly #options: NeighborsOptions;
  readonly #wakeup: Wakeup;
  readonly #entries = new Map<string, Entry>();
  /** As `gateways` last gave them; the same list for as long as none differs. */
  #seen: readonly Gateway[] | undefined;
  /** Of gateways that have not been seen here yet: their flows stay as they are. */
  #kept: ReadonlyMap<string, Neighbor> | undefined;
  /** By uuid, the gateways that are here, and when the announcements that remain are due. */
  readonly #here = new Map<string, { gateway: Gateway; readonly since: number; announced: number }>();

  constructor(options: NeighborsOptions) {
    this.#options = options;
    this.#wakeup = new Wakeup(options.clock);
  }

  /** Gateways may have come, gone or changed. */
  gatewaysChanged(): void {
    const all = this.#options.gateways();
    if (all === this.#seen) return;
    this.#seen = all;
    const now = this.#options.clock.now();
    const gateways = new Map(all.flatMap((gateway) => (gateway.ofport === null ? [] : [[gateway.uuid, gateway] as const])));
    for (const [uuid, held] of this.#here) {
      const gateway = gateways.get(uuid);
      if (gateway === undefined) this.#here.delete(uuid);
      else held.gateway = gateway;
    }
    for (const [uuid, gateway] of gateways) if (!this.#here.has(uuid)) this.#here.set(uuid, { gateway, since: now, announced: 0 });
    for (const [key, entry] of this.#entries) {
      const gateway = gateways.get(entry.gateway.uuid);
      if (gateway === undefined) this.#entries.delete(key);
      else {
        entry.gateway = gateway;
        entry.isNextHop = false;
      }
    }
    for (const { gateway } of this.#here.values()) this.#adopt(gateway, now);
    for (const { gateway } of this.#here.values())
      for (const ip of gateway.next_hops) {
        const entry = this.#entry(gateway, ip, now);
        if (entry !== undefined) entry.isNextHop = true;
      }
    this.#wakeup.raise();
  }

  records(): Neighbor[] {
    this.#kept ??= new Map(this.#options.before().map((record) => [record.uuid, record]));
    const known = [...this.#entries.values()].flatMap(({ gateway: { mac_lease_uuid }, ip, mac }): Neighbor[] => {
      const address = formatIp(ip);
      return mac === undefined ? [] : [{ kind: 'neighbor', uuid: neighborUuid(mac_lease_uuid, address), mac_lease_uuid, address, mac }];
    });
    return [...this.#kept.values(), ...known];
  }

  /** Next hops that do not answer, for people. */
  silent(): { readonly address: string; readonly interface_uuid: string }[] {
    return [...this.#entries.values()].flatMap(({ gateway: { interface_uuid }, ip, mac, isNextHop, asked }) =>
      isNextHop && mac === undefined && asked >= RETRY_MS.length ? [{ address: formatIp(ip), interface_uuid }] : [],
    );
  }

  /** A packet for a neighbour that is not known, or what a neighbour says. */
  take(punted: PuntedFrame): void {
    const { punt, data } = punted;
    const frame = decodeEthernet(data);
    if (!frame.ok) return;
    const { dst, eth_type, payload } = frame.value;
    if (punt.kind === 'resolve') this.#wait(dst, addressOf(eth_type, payload), punted);
    else {
      const said = saidBy(eth_type, payload);
      if (said !== undefined) this.#hear(dst, said.ip, said.mac);
    }
  }

  /** Resolves when the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      const due = this.#work(clock.now());
      await this.#wakeup.wait(due - clock.now(), signal);
    }
  }

  #entry(gateway: Gateway, ip: Ip, now: number): Entry | undefined {
    const key = `${gateway.uuid} ${formatIp(ip)}`;
    let entry = this.#entries.get(key);
    if (entry !== undefined || this.#entries.size >= MAX_ENTRIES) return entry;
    entry = { gateway, ip, mac: undefined, isNextHop: false, asked: 0, due: now, waiting: [] };
    this.#entries.set(key, entry);
    return entry;
  }

  /** Takes over what was known of its neighbours before this process, and asks whether it is still so. */
  #adopt(gateway: Gateway, now: number): void {
    const { mac_lease_uuid, subnets } = gateway;
    const kept = new Map(this.#kept);
    for (const [uuid, { mac_lease_uuid: of, address, mac }] of kept) {
      if (of !== mac_lease_uuid) continue;
      kept.delete(uuid);
      const ip = parseIp(address);
      const entry = subnets.some((one) => one.family === ip.family && cidrContains(one, ip)) ? this.#entry(gateway, ip, now) : undefined;
      if (entry !== undefined) entry.mac = mac;
    }
    this.#kept = kept;
  }

  #gatewayAt(mac: number, ip: Ip): Gateway | undefined {
    for (const { gateway } of this.#here.values())
      if (gateway.mac === mac && gateway.subnets.some((subnet) => subnet.family === ip.family && cidrContains(subnet, ip))) return gateway;
    return undefined;
  }

  #wait(mac: number, ip: Ip | undefined, punted: PuntedFrame): void {
    const gateway = ip && this.#gatewayAt(mac, ip);
    if (gateway === undefined) return;
    const entry = this.#entry(gateway, ip!, this.#options.clock.now());
    if (entry === undefined) return;
    if (entry.mac !== undefined) this.#pass(entry, punted);
    else if (entry.waiting.length < MAX_WAITING) entry.waiting.push(punted);
    this.#wakeup.raise();
  }

  #hear(gatewayMac: number, ip: Ip, mac: number): void {
    const gateway = this.#gatewayAt(gatewayMac, ip);
    const entry = gateway && this.#entries.get(`${gateway.uuid} ${formatIp(ip)}`);
    if (entry === undefined) return;
    const isNew = entry.mac !== mac;
    entry.mac = mac;
    entry.asked = 0;
    entry.due = this.#options.clock.now() + CONFIRM_MS;
    for (const punted of entry.waiting.splice(0)) this.#pass(entry, punted);
    if (isNew) this.#options.onChange();
  }

  /** Sends what was held back, now that it is known where to. */
  #pass({ gateway, mac }: Entry, { data }: PuntedFrame): void {
    const frame = decodeEthernet(data);
    if (frame.ok) this.#options.send(encodeEthernet({ ...frame.value, src: gateway.mac, dst: mac! }), gateway.ofport!);
  }

  /** @returns when there is something to do again. */
  #work(now: number): number {
    let next = Infinity;
    let differs = false;
    for (const held of this.#here.values()) {
      while (held.announced < ANNOUNCE_MS.length && held.since + ANNOUNCE_MS[held.announced]! <= now) {
        // Where the switch cannot be reached it is said later.
        if (!this.#announce(held.gateway)) break;
        held.announced++;
      }
      if (held.announced < ANNOUNCE_MS.length) next = Math.min(next, Math.max(now + 100, held.since + ANNOUNCE_MS[held.announced]!));
    }
    for (const [key, entry] of this.#entries) {
      if (entry.due <= now) {
        if (entry.asked >= RETRY_MS.length) {
          differs ||= entry.mac !== undefined;
          entry.mac = undefined;
          for (const punted of entry.waiting.splice(0)) this.#options.refuse(punted);
          if (!entry.isNextHop) {
            this.#entries.delete(key);
            continue;
          }
        }
        this.#ask(entry);
        entry.due = now + (RETRY_MS[entry.asked] ?? NEVER_HEARD_MS);
        entry.asked++;
      }
      next = Math.min(next, entry.due);
    }
    if (differs) this.#options.onChange();
    return next;
  }

  #ask({ gateway, ip }: Entry): void {
    const { addresses, subnets, mac, ofport } = gateway;
    const subnet = subnets.find((one) => one.family === ip.family && cidrContains(one, ip));
    const own = addresses.find((one) => one.ip.family === ip.family && subnet !== undefined && cidrContains(subnet, one.ip))?.ip;
    if (own === undefined) return;
    const frame =
      own.family === 'ipv4'
        ? arpRequestFrame({ eth_src: mac, spa: own.value, tpa: ip.value as number })
        : neighborSolicitFrame({ eth_src: mac, src: own.value, target: ip.value as bigint });
    this.#options.send(frame, ofport!);
  }

  #announce({ addresses, mac, ofport }: Gateway): boolean {
    return addresses.every(({ ip }) => this.#options.send(addressAnnouncement(mac, ip), ofport!));
  }
}

/** Where an IP packet is going. */
function addressOf(ethType: number, payload: Uint8Array): Ip | undefined {
  if (ethType === ETH_TYPE.IPV4) {
    const packet = decodeIpv4(payload, { mayBeCut: true });
    return packet.ok ? { family: 'ipv4', value: packet.value.dst } : undefined;
  }
  const packet = ethType === ETH_TYPE.IPV6 ? decodeIpv6(payload, { mayBeCut: true }) : undefined;
  return packet?.ok === true ? { family: 'ipv6', value: packet.value.dst } : undefined;
}

/** Who says to have which address. */
function saidBy(ethType: number, payload: Uint8Array): { readonly ip: Ip; readonly mac: number } | undefined {
  if (ethType === ETH_TYPE.ARP) {
    const arp = decodeArp(payload);
    return arp.ok && arp.value.op === ARP_OP.REPLY ? { ip: { family: 'ipv4', value: arp.value.spa }, mac: arp.value.sha } : undefined;
  }
  const packet = ethType === ETH_TYPE.IPV6 ? decodeIpv6(payload, { mayBeCut: false }) : undefined;
  // RFC 4861 §7.1.2: from farther away it is not one.
  if (packet?.ok !== true || packet.value.hop_limit !== 255) return undefined;
  const { src, dst, payload: body } = packet.value;
  const icmp = decodeIcmpv6(body, { family: 'ipv6', src, dst });
  const nd = icmp.ok ? decodeNd(icmp.value) : undefined;
  if (nd?.ok !== true || nd.value.kind !== 'neighbor_advert') return undefined;
  for (const option of nd.value.options)
    if (option.kind === 'target_link_address') return { ip: { family: 'ipv6', value: nd.value.target }, mac: option.mac };
  return undefined;
}
