/**
 * The DHCPv4 server: which answer a client gets (RFC 2131 §4.3).
 *
 * Owns: the decision. What an answer looks like is dhcp-reply.ts.
 * Assumes: leases are fixed by the model, so nothing is bound, remembered or freed here: DECLINE and RELEASE are only noted.
 * Promises: speaks only for leases of the MAC that sent the frame, and is silent where the message is for another server.
 */
import { cidrContains } from '../../flows/net/cidr.js';
import { decodeDhcp, type DhcpMessage } from '../../flows/packet/dhcpv4.js';
import { DHCP_OPTION, DHCP_TYPE, ipv4Of, uint8Of } from '../../flows/packet/dhcpv4-options.js';
import { decodeEthernet } from '../../flows/packet/ethernet.js';
import { decodeIpv4 } from '../../flows/packet/ipv4.js';
import { ETH_TYPE, IP_PROTOCOL, UDP_PORT } from '../../flows/packet/numbers.js';
import { decodeUdp } from '../../flows/packet/udp.js';
import { answer, type DhcpLease, type PuntedFrame, type RespondContext, type Response } from './contract.js';
import { acknowledgement, informed, offer, refusal } from './dhcp-reply.js';

const BROADCAST = 0xffff_ffff;

interface Received {
  readonly message: DhcpMessage;
  readonly src: number;
  readonly dst: number;
}

export function respondDhcp({ data, port_key }: PuntedFrame, context: RespondContext): Response {
  const received = receive(data);
  if (typeof received === 'string') return answer(received);
  const { message, src, dst } = received;
  const known = context.dhcp(port_key, message.chaddr);
  if (known.length === 0) return answer('no_lease');
  const serverId = ipv4Of(message, DHCP_OPTION.SERVER_ID);
  const leases = known.filter(
    ({ server_address }) => (dst === BROADCAST || dst === server_address) && (serverId === undefined || serverId === server_address),
  );
  const first = leases[0];
  if (first === undefined) return answer('other_server');
  const requested = ipv4Of(message, DHCP_OPTION.REQUESTED_ADDRESS);
  switch (uint8Of(message, DHCP_OPTION.MESSAGE_TYPE)) {
    case DHCP_TYPE.DISCOVER:
      return answer('offered', offer(message, leaseOf(leases, requested) ?? first));
    case DHCP_TYPE.REQUEST:
      return confirm(message, leases, first, requested);
    case DHCP_TYPE.INFORM:
      return inform(message, leases, message.ciaddr === 0 ? src : message.ciaddr);
    case DHCP_TYPE.DECLINE:
      return answer('declined');
    case DHCP_TYPE.RELEASE:
      return answer('released');
    default:
      return answer('malformed');
  }
}

/** `ciaddr` names the address when renewing and rebinding, the option when selecting and after a reboot (RFC 2131 §4.3.2). */
function confirm(message: DhcpMessage, leases: readonly DhcpLease[], first: DhcpLease, requested: number | undefined): Response {
  const wanted = message.ciaddr === 0 ? requested : message.ciaddr;
  if (wanted === undefined) return answer('malformed');
  const lease = leaseOf(leases, wanted);
  return lease ? answer('acknowledged', acknowledgement(message, lease)) : answer('refused', refusal(message, first));
}

/** The client has an address by other means: parameters of the network it is in, no lease. */
function inform(message: DhcpMessage, leases: readonly DhcpLease[], client: number): Response {
  const lease = leaseOf(leases, client) ?? leases.find(({ network }) => cidrContains(network, { family: 'ipv4', value: client }));
  return lease ? answer('acknowledged', informed(message, lease, client)) : answer('no_lease');
}

function leaseOf(leases: readonly DhcpLease[], address: number | undefined): DhcpLease | undefined {
  return leases.find((lease) => lease.address === address);
}

/** A relayed request, or one for a MAC behind the NIC that sent it, is another client's. */
function receive(data: Uint8Array): Received | 'malformed' | 'other_client' {
  const frame = decodeEthernet(data);
  if (!frame.ok || frame.value.eth_type !== ETH_TYPE.IPV4) return 'malformed';
  const packet = decodeIpv4(frame.value.payload);
  if (!packet.ok || packet.value.protocol !== IP_PROTOCOL.UDP || packet.value.more_fragments || packet.value.fragment_offset > 0)
    return 'malformed';
  const datagram = decodeUdp(packet.value.payload);
  if (!datagram.ok || datagram.value.dst_port !== UDP_PORT.DHCP_SERVER) return 'malformed';
  const message = decodeDhcp(datagram.value.payload);
  if (!message.ok || message.value.op !== 'request') return 'malformed';
  if (message.value.giaddr !== 0 || message.value.chaddr !== frame.value.src) return 'other_client';
  return { message: message.value, src: packet.value.src, dst: packet.value.dst };
}
