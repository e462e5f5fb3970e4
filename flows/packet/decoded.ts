/**
 * What a decoder returns.
 *
 * Owns: the result type of every decoder in flows/packet, and the bounds of reading: bytes come from VMs, so a malformed packet is a value, never an exception.
 * Promises: decoders read only inside the array they are given, in time linear in its length; what they return shares its memory.
 */
export type Layer = 'ethernet' | 'arp' | 'ipv4' | 'ipv6' | 'icmpv4' | 'icmpv6' | 'nd' | 'udp' | 'tcp' | 'dhcpv4';

/**
 * `truncated`: there are fewer bytes than the fixed header has. `bad_length`: a length in the packet contradicts another or the bytes there are.
 * `unsupported`: well formed as far as seen, but of a kind this codec does not read.
 */
export type FailureReason = 'truncated' | 'bad_length' | 'bad_version' | 'bad_checksum' | 'bad_type' | 'bad_value' | 'unsupported';

export interface PacketFailure {
  readonly ok: false;
  readonly layer: Layer;
  readonly reason: FailureReason;
}

export type Decoded<T> = { readonly ok: true; readonly value: T } | PacketFailure;

export function decoded<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

export function failed(layer: Layer, reason: FailureReason): PacketFailure {
  return { ok: false, layer, reason };
}
