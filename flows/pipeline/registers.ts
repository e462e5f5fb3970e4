/**
 * Registers of the pipeline.
 *
 * Owns: which bits of metadata and reg0–reg15 mean what, and the actions and match fields that touch them.
 * Promises: no two names overlap (REGISTERS is checked by a test); stages never name a register themselves. docs/pipeline.md is generated from here.
 */
import type { Action } from '../openflow/action.js';
import type { FieldName } from '../openflow/fields.js';
import type { OxmField, Subfield } from '../openflow/match.js';

export const REGISTERS = {
  segment: { field: 'metadata', offset: 0, bits: 32, means: 'segment key (VNI) the packet is in' },
  vrf: { field: 'metadata', offset: 32, bits: 32, means: 'routing domain of that segment' },
  from_router: { field: 'reg0', offset: 0, bits: 1, means: 'the ND answer being built speaks for a router' },
  too_big: { field: 'reg0', offset: 1, bits: 1, means: 'longer than the overlay carries' },
  from_tunnel: { field: 'reg0', offset: 2, bits: 1, means: 'came from another hypervisor: goes to local ports only' },
  run_unpaid: { field: 'reg0', offset: 3, bits: 1, means: 'a run of collapsed routers has yet to take its one from the TTL' },
  tracked: { field: 'reg0', offset: 4, bits: 1, means: 'conntrack was asked on behalf of the port being judged' },
  opens: { field: 'reg0', offset: 5, bits: 1, means: 'a conn row of the filter lets it open a connection' },
  persists: { field: 'reg0', offset: 6, bits: 1, means: 'the rule lets its connections outlive it' },
  skip_policy: { field: 'reg0', offset: 7, bits: 1, means: 'an answer Hotori gives in the name of a port' },
  learned: { field: 'reg0', offset: 8, bits: 1, means: 'where its destination is has been learnt' },
  multicast: { field: 'reg0', offset: 9, bits: 1, means: 'one branch of a flood' },
  translated: {
    field: 'reg0',
    offset: 10,
    bits: 1,
    means: 'has another address than it was sent with, or went through where that is decided',
  },
  nat_exempt: { field: 'reg0', offset: 11, bits: 1, means: 'no router translates it' },
  nat_next: { field: 'reg0', offset: 12, bits: 2, means: 'where it goes once its source is translated' },
  routers_crossed: { field: 'reg0', offset: 16, bits: 12, means: 'one bit for each router that took one from the TTL' },
  icmp_error: { field: 'reg0', offset: 28, bits: 4, means: 'what the sender is told' },
  source_port: { field: 'reg1', offset: 0, bits: 32, means: 'port key of the sender' },
  destination_port: { field: 'reg2', offset: 0, bits: 32, means: 'port key of the receiver' },
  source_identity: { field: 'reg3', offset: 0, bits: 32, means: 'policy class that owns the source address' },
  found_identity: {
    field: 'reg4',
    offset: 0,
    bits: 32,
    means: 'policy class that owns the address asked for; to egress rules the destination',
  },
  ingress_rule: { field: 'reg5', offset: 0, bits: 32, means: 'ingress rule that decided' },
  destination_zone: { field: 'reg6', offset: 0, bits: 16, means: 'conntrack zone of the receiving port' },
  source_zone: { field: 'reg6', offset: 16, bits: 16, means: 'conntrack zone of the sending port' },
  source_class: { field: 'reg7', offset: 0, bits: 32, means: 'policy class of the sending port, 0 without groups' },
  destination_class: { field: 'reg8', offset: 0, bits: 32, means: 'policy class of the receiving port or flood set' },
  egress_rule: { field: 'reg9', offset: 0, bits: 32, means: 'egress rule that decided' },
  router: { field: 'reg10', offset: 0, bits: 24, means: 'virtual router the packet is in' },
  next_hop: { field: 'reg10', offset: 24, bits: 8, means: 'which of several next hops: hash of the flow' },
  flood_chunk: { field: 'reg11', offset: 0, bits: 16, means: 'chunk of a flood set' },
  overlay_mtu: { field: 'reg11', offset: 16, bits: 16, means: 'longest IP packet the overlay to that hypervisor carries' },
  path: { field: 'reg12', offset: 0, bits: 32, means: 'path, or policy, taken in that router' },
  peer: { field: 'reg13', offset: 0, bits: 32, means: 'hypervisor the packet comes from or goes to' },
  arrival: { field: 'reg14', offset: 0, bits: 32, means: 'port key of the router port it came in by' },
  remote_sender: { field: 'reg15', offset: 16, bits: 1, means: 'came from another hypervisor, to be translated here' },
  drop_reason: { field: 'reg15', offset: 0, bits: 16, means: 'why the packet is dropped' },
  live_marked: { field: 'reg15', offset: 21, bits: 1, means: 'somebody follows it in a live trace; crosses Geneve tunnels' },
  live_local: { field: 'reg15', offset: 22, bits: 1, means: 'the live trace has seen it in LOCAL' },
  live_told: { field: 'reg15', offset: 23, bits: 1, means: 'the live trace is told how it ends here' },
  live_session: { field: 'reg15', offset: 24, bits: 8, means: 'the live trace that follows it; 0: none' },
} as const satisfies Record<string, Subfield & { means: string }>;

/** Where IDENTITY finds the address it is asked for: registers of other names, which whoever asks saves before and restores after. */
export const ASKED_ADDRESS = {
  ipv4: { field: 'reg12', offset: 0, bits: 32 },
  ipv6: { field: 'xxreg3', offset: 0, bits: 128 },
} as const satisfies Record<string, Subfield>;

/** Registers that only say which rule decided: they change nothing about a packet. */
export const NOMINAL: readonly FieldName[] = [REGISTERS.ingress_rule.field, REGISTERS.egress_rule.field];

export type RegisterName = keyof typeof REGISTERS;

const WIDTH: Partial<Record<FieldName, number>> = { metadata: 64 };

function widthOf(field: FieldName): number {
  return WIDTH[field] ?? 32;
}

/** The mask of a register; none where it is the whole field. All flows that name it share it. */
const MASKS = new Map(
  Object.entries(REGISTERS).map(([name, { field, offset, bits }]): [string, number | bigint | undefined] => {
    if (widthOf(field) === 64) return [name, ((1n << BigInt(bits)) - 1n) << BigInt(offset)];
    return [name, bits === 32 ? undefined : ((2 ** bits - 1) << offset) >>> 0];
  }),
);

/** The bits of a register as an OXM value and mask; no mask when they are the whole field. */
function place(name: RegisterName, value: number): OxmField {
  const { field, offset } = REGISTERS[name];
  const mask = MASKS.get(name);
  if (mask === undefined) return { field, value };
  if (typeof mask === 'bigint') return { field, value: BigInt(value) << BigInt(offset), mask };
  return { field, value: (value << offset) >>> 0, mask };
}

/** Matches a register's bits. */
export function regMatch(name: RegisterName, value: number): OxmField {
  return place(name, value);
}

/** Matches two registers that share a field, which a match can name only once. */
export function regMatchBoth(a: RegisterName, valueOfA: number, b: RegisterName, valueOfB: number): OxmField {
  const { field, value, mask } = together({ [a]: valueOfA, [b]: valueOfB });
  return mask === 0xffff_ffff ? { field, value } : { field, value, mask };
}

/** Writes several registers that share a field at once. */
export function regLoadAll(values: Readonly<Partial<Record<RegisterName, number>>>): Action {
  return { kind: 'set_field', ...together(values) };
}

function together(values: Readonly<Partial<Record<RegisterName, number>>>) {
  const parts = Object.entries(values).map(([name, value]) => ({ ...REGISTERS[name as RegisterName], value }));
  const shifted = (of: (part: (typeof parts)[number]) => number) => parts.reduce((sum, part) => sum + of(part) * 2 ** part.offset, 0);
  return { field: parts[0]!.field, value: shifted(({ value }) => value), mask: shifted(({ bits }) => 2 ** bits - 1) };
}

/** Writes a register's bits and leaves the rest of the field alone. */
export function regLoad(name: RegisterName, value: number): Action {
  const { field, value: placed, mask } = place(name, value);
  return mask === undefined ? { kind: 'set_field', field, value: placed } : { kind: 'set_field', field, value: placed, mask };
}

/** The register as a subfield, for `move` and `ct(zone=…)`. */
export function regField(name: RegisterName): Subfield {
  const { field, offset, bits } = REGISTERS[name];
  return { field, offset, bits };
}

/** Sets segment and VRF at once: the packet is now in that segment. */
export function enterSegment(segmentKey: number, vrfKey: number): Action {
  return { kind: 'set_field', field: 'metadata', value: (BigInt(vrfKey) << 32n) | BigInt(segmentKey) };
}
