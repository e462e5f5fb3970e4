/**
 * Numbers of the IANA registries that more than one codec needs.
 */
export const ETH_TYPE = { IPV4: 0x0800, ARP: 0x0806, RARP: 0x8035, VLAN: 0x8100, QINQ: 0x88a8, IPV6: 0x86dd } as const;

export const IP_PROTOCOL = {
  HOP_BY_HOP: 0,
  ICMPV4: 1,
  TCP: 6,
  UDP: 17,
  ROUTING: 43,
  FRAGMENT: 44,
  AH: 51,
  ICMPV6: 58,
  DESTINATION_OPTIONS: 60,
  SCTP: 132,
} as const;

export const ICMPV4_TYPE = {
  ECHO_REPLY: 0,
  UNREACHABLE: 3,
  SOURCE_QUENCH: 4,
  REDIRECT: 5,
  ECHO_REQUEST: 8,
  TIME_EXCEEDED: 11,
  PARAMETER_PROBLEM: 12,
} as const;

export const ICMPV6_TYPE = {
  UNREACHABLE: 1,
  PACKET_TOO_BIG: 2,
  TIME_EXCEEDED: 3,
  PARAMETER_PROBLEM: 4,
  /** Types below are errors, from here on they inform (RFC 4443 §2.1). */
  FIRST_INFORMATIONAL: 128,
  ECHO_REQUEST: 128,
  ECHO_REPLY: 129,
  ROUTER_SOLICIT: 133,
  ROUTER_ADVERT: 134,
  NEIGHBOR_SOLICIT: 135,
  NEIGHBOR_ADVERT: 136,
  REDIRECT: 137,
} as const;

export const UDP_PORT = { DHCP_SERVER: 67, DHCP_CLIENT: 68 } as const;
