/**
 * What a trace asks.
 *
 * Owns: the parameters of a trace, their ranges and defaults, and what is impossible about a packet whatever the model is.
 */
import { z } from 'zod';
import type { Reason } from '../../model/errors.js';

export const TRACE_PROTOCOLS = ['tcp', 'udp', 'sctp', 'icmp', 'icmpv6'] as const;
export type TraceProtocol = (typeof TRACE_PROTOCOLS)[number];

/** TTL that VMs begin with, and the port that a client is taken to send from. */
const USUAL_TTL = 64;
const USUAL_SIZE = 60;
export const CLIENT_PORT = 40_000;

const port = z.int().min(1).max(65_535);

export const traceInput = z.strictObject({
  source: z.string().min(1).max(255).describe('Interface, or ADDRESS@NETWORK.'),
  destination: z.string().min(1).max(255).describe('Interface, or an address.'),
  protocol: z.enum(TRACE_PROTOCOLS).optional().describe('tcp when there is a destination_port, else icmp.'),
  source_port: port.optional().describe(`${CLIENT_PORT} when absent.`),
  destination_port: port.optional().describe('Needed with tcp, udp and sctp.'),
  icmp_type: z.int().min(0).max(255).optional().describe('Echo request when absent.'),
  icmp_code: z.int().min(0).max(255).optional().describe('0 when absent.'),
  family: z.enum(['ipv4', 'ipv6']).optional().describe('Of the addresses, where interfaces are named; IPv4 first when absent.'),
  ttl: z.int().min(0).max(255).default(USUAL_TTL).describe('TTL or hop limit that the sender gives it.'),
  size: z.int().min(20).max(65_535).default(USUAL_SIZE).describe('Bytes of the IP packet.'),
  df: z.boolean().default(false).describe('Fragments are forbidden.'),
  ct_state: z
    .enum(['new', 'established', 'auto'])
    .default('new')
    .describe(
      'new: the first packet of a connection; established: a later one of a connection that was admitted; auto: as part of whatever connection could be there: one that its sender could have opened, else, with a source_port, one that its receiver could have, else a first packet.',
    ),
  next_hop: z.string().max(64).optional().describe('Address the sender sends it to; else the destination, or the router that DHCP tells.'),
  source_address: z.string().max(64).optional().describe('Another source address than that of the interface.'),
  source_mac: z.string().max(17).optional().describe('Another source MAC than that of the interface.'),
});

export type TraceQuestion = Readonly<z.output<typeof traceInput>>;

const WITH_PORTS: readonly string[] = ['tcp', 'udp', 'sctp'];

export function hasPorts(protocol: TraceProtocol): boolean {
  return WITH_PORTS.includes(protocol);
}

export function protocolOf({ protocol, destination_port }: Pick<TraceQuestion, 'protocol' | 'destination_port'>): TraceProtocol {
  return protocol ?? (destination_port === undefined ? 'icmp' : 'tcp');
}

/** What no packet can be. */
export function impossibilities(question: TraceQuestion): Reason[] {
  const protocol = protocolOf(question);
  const reasons: Reason[] = [];
  const refuse = (field: keyof TraceQuestion, detail: string) => reasons.push({ pointer: `/${field}`, detail });
  if (hasPorts(protocol)) {
    if (question.destination_port === undefined) refuse('destination_port', `is missing: ${protocol} goes to a port`);
    for (const field of ['icmp_type', 'icmp_code'] as const)
      if (question[field] !== undefined) refuse(field, `${protocol} has none; only icmp and icmpv6 do`);
    return reasons;
  }
  for (const field of ['source_port', 'destination_port'] as const)
    if (question[field] !== undefined) refuse(field, `${protocol} has no ports; only tcp, udp and sctp do`);
  return reasons;
}
