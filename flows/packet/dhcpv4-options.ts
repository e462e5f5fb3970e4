/**
 * The DHCPv4 options a server of ours reads and writes (RFC 2132, RFC 3442).
 *
 * Promises: readers return undefined for an option that is absent or of a length it cannot have.
 */
import { ipv4Mask, type Ipv4Cidr } from '../net/cidr.js';
import { concatBytes, viewOf } from './bytes.js';
import type { DhcpMessage, DhcpOption } from './dhcpv4.js';

export const DHCP_OPTION = {
  SUBNET_MASK: 1,
  ROUTER: 3,
  DNS_SERVER: 6,
  HOST_NAME: 12,
  DOMAIN_NAME: 15,
  INTERFACE_MTU: 26,
  BROADCAST_ADDRESS: 28,
  REQUESTED_ADDRESS: 50,
  LEASE_TIME: 51,
  MESSAGE_TYPE: 53,
  SERVER_ID: 54,
  PARAMETER_LIST: 55,
  MESSAGE: 56,
  MAX_MESSAGE_SIZE: 57,
  RENEWAL_TIME: 58,
  REBINDING_TIME: 59,
  CLIENT_ID: 61,
  RELAY_AGENT: 82,
  CLASSLESS_ROUTES: 121,
} as const;

export const DHCP_TYPE = { DISCOVER: 1, OFFER: 2, REQUEST: 3, DECLINE: 4, ACK: 5, NAK: 6, RELEASE: 7, INFORM: 8 } as const;

export interface ClasslessRoute {
  readonly destination: Ipv4Cidr;
  /** Next hop; 0: the destination is on the link. */
  readonly via: number;
}

export function findOption(message: DhcpMessage, code: number): DhcpOption | undefined {
  return message.options.find((option) => option.code === code);
}

/** An option of one byte, such as the message type. */
export function uint8Of(message: DhcpMessage, code: number): number | undefined {
  const data = findOption(message, code)?.data;
  return data?.length === 1 ? data[0] : undefined;
}

export function uint16Of(message: DhcpMessage, code: number): number | undefined {
  const data = findOption(message, code)?.data;
  return data?.length === 2 ? viewOf(data).getUint16(0) : undefined;
}

/** An option of one address. */
export function ipv4Of(message: DhcpMessage, code: number): number | undefined {
  const data = findOption(message, code)?.data;
  return data?.length === 4 ? viewOf(data).getUint32(0) : undefined;
}

export function uint8Option(code: number, value: number): DhcpOption {
  return { code, data: Uint8Array.of(value) };
}

export function uint16Option(code: number, value: number): DhcpOption {
  return { code, data: Uint8Array.of(value >>> 8, value) };
}

export function uint32Option(code: number, value: number): DhcpOption {
  return ipv4Option(code, value);
}

export function ipv4Option(code: number, ...addresses: readonly number[]): DhcpOption {
  const data = new Uint8Array(4 * addresses.length);
  const view = viewOf(data);
  for (const [index, address] of addresses.entries()) view.setUint32(4 * index, address);
  return { code, data };
}

/** ASCII; other characters become `?`. */
export function textOption(code: number, text: string): DhcpOption {
  return { code, data: Uint8Array.from(text, (character) => (character <= '\x7f' ? character.charCodeAt(0) : 0x3f)) };
}

/** RFC 3442: per route the prefix length, the significant octets of the destination, the next hop. */
export function classlessRoutesOption(routes: readonly ClasslessRoute[]): DhcpOption {
  const parts = routes.map(({ destination, via }) => {
    const octets = Math.ceil(destination.prefix / 8);
    const bytes = new Uint8Array(1 + octets + 4);
    const view = viewOf(bytes);
    bytes[0] = destination.prefix;
    bytes.set(ipv4Option(0, destination.network).data.subarray(0, octets), 1);
    view.setUint32(1 + octets, via);
    return bytes;
  });
  return { code: DHCP_OPTION.CLASSLESS_ROUTES, data: concatBytes(parts) };
}

/** Undefined if the option is absent or malformed. */
export function classlessRoutesOf(message: DhcpMessage): readonly ClasslessRoute[] | undefined {
  const data = findOption(message, DHCP_OPTION.CLASSLESS_ROUTES)?.data;
  if (!data) return undefined;
  const routes: ClasslessRoute[] = [];
  for (let offset = 0; offset < data.length;) {
    const prefix = data[offset]!;
    const octets = Math.ceil(prefix / 8);
    if (prefix > 32 || offset + 1 + octets + 4 > data.length) return undefined;
    const network = new Uint8Array(4);
    network.set(data.subarray(offset + 1, offset + 1 + octets));
    routes.push({
      destination: { family: 'ipv4', network: (viewOf(network).getUint32(0) & ipv4Mask(prefix)) >>> 0, prefix },
      via: viewOf(data).getUint32(offset + 1 + octets),
    });
    offset += 1 + octets + 4;
  }
  return routes;
}
