/**
 * Neighbour discovery (RFC 4861): solicitations and advertisements of routers and neighbours.
 *
 * Owns: the bodies of ICMPv6 types 133 to 136 and their options.
 * Assumes: hop limit and addresses are checked by whoever acts on a message (RFC 4861 §6.1, §7.1).
 * Promises: an option whose length does not fit its type is kept as `unknown`.
 */
import { concatBytes, getIpv6, getMac, setIpv6, setMac, viewOf } from './bytes.js';
import { decoded, failed, type Decoded } from './decoded.js';
import type { IcmpMessage } from './icmp.js';
import { ICMPV6_TYPE } from './numbers.js';

export interface PrefixInformation {
  readonly kind: 'prefix_information';
  readonly prefix: bigint;
  readonly prefix_length: number;
  readonly on_link: boolean;
  readonly autonomous: boolean;
  /** Seconds; INFINITE_LIFETIME for ever. */
  readonly valid_lifetime: number;
  readonly preferred_lifetime: number;
}

export type NdOption =
  | { readonly kind: 'source_link_address' | 'target_link_address'; readonly mac: number }
  | PrefixInformation
  | { readonly kind: 'mtu'; readonly mtu: number }
  /** RFC 8106 §5.1. */
  | { readonly kind: 'rdnss'; readonly lifetime: number; readonly servers: readonly bigint[] }
  /** `data` is what follows type and length: a multiple of 8 bytes less 2. */
  | { readonly kind: 'unknown'; readonly type: number; readonly data: Uint8Array };

export interface RouterAdvert {
  readonly kind: 'router_advert';
  readonly hop_limit: number;
  readonly managed: boolean;
  readonly other: boolean;
  /** Seconds, 16 bits; 0: not a default router. */
  readonly router_lifetime: number;
  /** Milliseconds; 0: unspecified. */
  readonly reachable_time: number;
  readonly retrans_timer: number;
  readonly options: readonly NdOption[];
}

export interface NeighborAdvert {
  readonly kind: 'neighbor_advert';
  readonly router: boolean;
  readonly solicited: boolean;
  readonly override: boolean;
  readonly target: bigint;
  readonly options: readonly NdOption[];
}

export type NdMessage =
  | { readonly kind: 'router_solicit'; readonly options: readonly NdOption[] }
  | RouterAdvert
  | { readonly kind: 'neighbor_solicit'; readonly target: bigint; readonly options: readonly NdOption[] }
  | NeighborAdvert;

export const INFINITE_LIFETIME = 0xffff_ffff;

const OPTION = { SOURCE_LINK_ADDRESS: 1, TARGET_LINK_ADDRESS: 2, PREFIX_INFORMATION: 3, MTU: 5, RDNSS: 25 } as const;
const MANAGED = 0x80;
const OTHER = 0x40;
const ROUTER = 0x80;
const SOLICITED = 0x40;
const OVERRIDE = 0x20;
const ON_LINK = 0x80;
const AUTONOMOUS = 0x40;

/** Bytes of `body` before the options. */
const FIXED = { router_solicit: 4, router_advert: 12, neighbor_solicit: 20, neighbor_advert: 20 } as const;

const TYPE_OF = {
  router_solicit: ICMPV6_TYPE.ROUTER_SOLICIT,
  router_advert: ICMPV6_TYPE.ROUTER_ADVERT,
  neighbor_solicit: ICMPV6_TYPE.NEIGHBOR_SOLICIT,
  neighbor_advert: ICMPV6_TYPE.NEIGHBOR_ADVERT,
} as const satisfies Record<NdMessage['kind'], number>;

export function decodeNd({ type, code, body }: IcmpMessage): Decoded<NdMessage> {
  const kind = kindOf(type);
  if (kind === undefined) return failed('nd', 'bad_type');
  if (code !== 0) return failed('nd', 'bad_value');
  if (body.length < FIXED[kind]) return failed('nd', 'truncated');
  const list = decodeOptions(body.subarray(FIXED[kind]));
  if (!list.ok) return list;
  const options = list.value;
  const view = viewOf(body);
  switch (kind) {
    case 'router_solicit':
      return decoded({ kind, options });
    case 'router_advert': {
      const flags = view.getUint8(1);
      return decoded({
        kind,
        hop_limit: view.getUint8(0),
        managed: (flags & MANAGED) !== 0,
        other: (flags & OTHER) !== 0,
        router_lifetime: view.getUint16(2),
        reachable_time: view.getUint32(4),
        retrans_timer: view.getUint32(8),
        options,
      });
    }
    case 'neighbor_solicit':
      return decoded({ kind, target: getIpv6(view, 4), options });
    case 'neighbor_advert': {
      const flags = view.getUint8(0);
      return decoded({
        kind,
        router: (flags & ROUTER) !== 0,
        solicited: (flags & SOLICITED) !== 0,
        override: (flags & OVERRIDE) !== 0,
        target: getIpv6(view, 4),
        options,
      });
    }
  }
}

/** The ICMPv6 message that carries it. */
export function encodeNd(message: NdMessage): IcmpMessage {
  const fixed = new Uint8Array(FIXED[message.kind]);
  const view = viewOf(fixed);
  switch (message.kind) {
    case 'router_solicit':
      break;
    case 'router_advert':
      view.setUint8(0, message.hop_limit);
      view.setUint8(1, (message.managed ? MANAGED : 0) | (message.other ? OTHER : 0));
      view.setUint16(2, message.router_lifetime);
      view.setUint32(4, message.reachable_time);
      view.setUint32(8, message.retrans_timer);
      break;
    case 'neighbor_solicit':
      setIpv6(view, 4, message.target);
      break;
    case 'neighbor_advert':
      view.setUint8(0, (message.router ? ROUTER : 0) | (message.solicited ? SOLICITED : 0) | (message.override ? OVERRIDE : 0));
      setIpv6(view, 4, message.target);
      break;
  }
  return { type: TYPE_OF[message.kind], code: 0, body: concatBytes([fixed, ...message.options.map(encodeOption)]) };
}

function kindOf(type: number): NdMessage['kind'] | undefined {
  switch (type) {
    case ICMPV6_TYPE.ROUTER_SOLICIT:
      return 'router_solicit';
    case ICMPV6_TYPE.ROUTER_ADVERT:
      return 'router_advert';
    case ICMPV6_TYPE.NEIGHBOR_SOLICIT:
      return 'neighbor_solicit';
    case ICMPV6_TYPE.NEIGHBOR_ADVERT:
      return 'neighbor_advert';
    default:
      return undefined;
  }
}

function decodeOptions(bytes: Uint8Array): Decoded<readonly NdOption[]> {
  const options: NdOption[] = [];
  for (let offset = 0; offset < bytes.length;) {
    const length = (bytes[offset + 1] ?? 0) * 8;
    if (length === 0 || offset + length > bytes.length) return failed('nd', 'bad_length');
    options.push(decodeOption(bytes.subarray(offset, offset + length)));
    offset += length;
  }
  return decoded(options);
}

function decodeOption(bytes: Uint8Array): NdOption {
  const view = viewOf(bytes);
  const type = view.getUint8(0);
  if (type === OPTION.SOURCE_LINK_ADDRESS && bytes.length === 8) return { kind: 'source_link_address', mac: getMac(view, 2) };
  if (type === OPTION.TARGET_LINK_ADDRESS && bytes.length === 8) return { kind: 'target_link_address', mac: getMac(view, 2) };
  if (type === OPTION.MTU && bytes.length === 8) return { kind: 'mtu', mtu: view.getUint32(4) };
  if (type === OPTION.PREFIX_INFORMATION && bytes.length === 32) {
    const flags = view.getUint8(3);
    return {
      kind: 'prefix_information',
      prefix: getIpv6(view, 16),
      prefix_length: view.getUint8(2),
      on_link: (flags & ON_LINK) !== 0,
      autonomous: (flags & AUTONOMOUS) !== 0,
      valid_lifetime: view.getUint32(4),
      preferred_lifetime: view.getUint32(8),
    };
  }
  if (type === OPTION.RDNSS && bytes.length >= 24 && bytes.length % 16 === 8) {
    const servers = Array.from({ length: (bytes.length - 8) / 16 }, (_, index) => getIpv6(view, 8 + 16 * index));
    return { kind: 'rdnss', lifetime: view.getUint32(4), servers };
  }
  return { kind: 'unknown', type, data: bytes.subarray(2) };
}

function encodeOption(option: NdOption): Uint8Array {
  switch (option.kind) {
    case 'source_link_address':
    case 'target_link_address': {
      const { bytes, view } = emptyOption(
        option.kind === 'source_link_address' ? OPTION.SOURCE_LINK_ADDRESS : OPTION.TARGET_LINK_ADDRESS,
        8,
      );
      setMac(view, 2, option.mac);
      return bytes;
    }
    case 'mtu': {
      const { bytes, view } = emptyOption(OPTION.MTU, 8);
      view.setUint32(4, option.mtu);
      return bytes;
    }
    case 'prefix_information': {
      const { bytes, view } = emptyOption(OPTION.PREFIX_INFORMATION, 32);
      view.setUint8(2, option.prefix_length);
      view.setUint8(3, (option.on_link ? ON_LINK : 0) | (option.autonomous ? AUTONOMOUS : 0));
      view.setUint32(4, option.valid_lifetime);
      view.setUint32(8, option.preferred_lifetime);
      setIpv6(view, 16, option.prefix);
      return bytes;
    }
    case 'rdnss': {
      const { bytes, view } = emptyOption(OPTION.RDNSS, 8 + 16 * option.servers.length);
      view.setUint32(4, option.lifetime);
      for (const [index, server] of option.servers.entries()) setIpv6(view, 8 + 16 * index, server);
      return bytes;
    }
    case 'unknown': {
      const { bytes } = emptyOption(option.type, 2 + option.data.length);
      bytes.set(option.data, 2);
      return bytes;
    }
  }
}

function emptyOption(type: number, length: number): { bytes: Uint8Array; view: DataView } {
  if (length % 8 !== 0 || length === 0 || length > 255 * 8)
    throw new RangeError(`a neighbour discovery option cannot have ${length} bytes`);
  const bytes = new Uint8Array(length);
  bytes[0] = type;
  bytes[1] = length / 8;
  return { bytes, view: viewOf(bytes) };
}
