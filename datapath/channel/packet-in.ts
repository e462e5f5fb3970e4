/**
 * The three forms of packet-in as one.
 */
import type { Message, NxPacketInMessage, PacketIn2Message, PacketInMessage } from '../../flows/openflow/message.js';
import type { PacketIn } from './contract.js';

const NO_BYTES = new Uint8Array(0);

export function isPacketIn(message: Message): message is PacketInMessage | NxPacketInMessage | PacketIn2Message {
  return message.kind === 'packet_in2' || message.kind === 'packet_in' || message.kind === 'nx_packet_in';
}

export function toPacketIn(message: PacketInMessage | NxPacketInMessage | PacketIn2Message): PacketIn {
  if (message.kind === 'packet_in' || message.kind === 'nx_packet_in') {
    return {
      data: message.data,
      full_length: message.total_len,
      table: message.table,
      cookie: message.cookie,
      reason: message.reason,
      metadata: message.match,
      userdata: NO_BYTES,
    };
  }
  const data = message.packet ?? NO_BYTES;
  return {
    data,
    full_length: message.full_length ?? data.length,
    table: message.table ?? 0,
    cookie: message.cookie ?? 0n,
    reason: message.reason ?? 0,
    metadata: message.metadata ?? [],
    userdata: message.userdata ?? NO_BYTES,
  };
}
