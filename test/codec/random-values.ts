/**
 * Random flows, groups and meters that Open vSwitch 3.1 accepts.
 *
 * Promises: every field, action, instruction and band that a controller of virtual networks uses turns up within a few thousand values;
 * prerequisites hold; ports 1 to 4 and groups 1 to 4 may be referred to.
 */
import type { Action, Instruction, LearnSpec, NatAction } from '../../flows/openflow/action.js';
import { PORTS } from '../../flows/openflow/constants.js';
import { FIELDS, type FieldName } from '../../flows/openflow/fields.js';
import type { Flow, Group, Meter, MeterBand } from '../../flows/openflow/flow.js';
import type { FieldValue, Match, Oxm, Subfield } from '../../flows/openflow/match.js';
import type { Random } from './random.js';

type Layer = 'none' | 'ipv4' | 'ipv6' | 'arp' | 'mpls';
type Transport = 'none' | 'tcp' | 'udp' | 'sctp' | 'icmp' | 'nd';

export function value(random: Random, name: FieldName): FieldValue {
  const { bits, type } = FIELDS[name];
  return type === 'bigint' ? random.bigBits(bits) : random.bits(bits);
}

function mask(random: Random, name: FieldName): FieldValue {
  const { bits, type } = FIELDS[name];
  const prefix = random.between(1, bits);
  if (type === 'bigint') {
    const ones = (1n << BigInt(bits)) - 1n;
    return random.chance(0.5) ? ones & ~((1n << BigInt(bits - prefix)) - 1n) : random.bigBits(bits) | 1n;
  }
  return random.chance(0.5) ? 2 ** bits - 2 ** (bits - prefix) : random.bits(bits - 1) * 2 + 1;
}

function and(a: FieldValue, b: FieldValue): FieldValue {
  if (typeof a === 'bigint') return a & (b as bigint);
  return Number(BigInt(a as number) & BigInt(b as number));
}

/** Exact or, where the field can be, masked. */
function oxm(random: Random, field: FieldName): Oxm {
  const exact = value(random, field);
  if (!FIELDS[field].maskable || random.chance(0.5)) return { field, value: exact };
  const bits = mask(random, field);
  return { field, value: and(exact, bits), mask: bits };
}

const METADATA: readonly FieldName[] = [
  ...(['reg0', 'reg1', 'reg2', 'reg3', 'reg15', 'metadata', 'tun_id', 'tun_src', 'tun_dst', 'tun_gbp_id', 'tun_gbp_flags'] as const),
  ...(['pkt_mark', 'ct_mark', 'ct_label', 'ct_zone', 'xreg3', 'xxreg2', 'eth_src', 'eth_dst'] as const),
];

function layers(random: Random): { layer: Layer; transport: Transport; match: Oxm[] } {
  const layer = random.pick<Layer>(['none', 'none', 'ipv4', 'ipv4', 'ipv6', 'ipv6', 'arp', 'mpls']);
  const some = (fields: readonly FieldName[]): Oxm[] => fields.filter(() => random.chance(0.4)).map((field) => oxm(random, field));
  switch (layer) {
    case 'none':
      return { layer, transport: 'none', match: [] };
    case 'arp':
      return {
        layer,
        transport: 'none',
        match: [
          { field: 'eth_type', value: 0x0806 },
          ...(random.chance(0.5) ? [{ field: 'arp_op', value: random.between(1, 4) } as const] : []),
          ...some(['arp_spa', 'arp_tpa', 'arp_sha', 'arp_tha']),
        ],
      };
    case 'mpls':
      return {
        layer,
        transport: 'none',
        match: [{ field: 'eth_type', value: random.pick([0x8847, 0x8848]) }, ...some(['mpls_label', 'mpls_tc', 'mpls_bos', 'mpls_ttl'])],
      };
    default: {
      const { transport, match } = transportOf(random, layer, some);
      const fields: readonly FieldName[] = layer === 'ipv4' ? ['ip_src', 'ip_dst'] : ['ipv6_src', 'ipv6_dst', 'ipv6_label'];
      const frag: Oxm[] = random.chance(0.1)
        ? [
            transport === 'none'
              ? random.pick<Oxm>([
                  { field: 'ip_frag', value: 1, mask: 1 },
                  { field: 'ip_frag', value: 3 },
                ])
              : { field: 'ip_frag', value: 0 },
          ]
        : [];
      return {
        layer,
        transport,
        match: [
          { field: 'eth_type', value: layer === 'ipv4' ? 0x0800 : 0x86dd },
          ...some(fields),
          ...frag,
          ...some(['ip_dscp', 'nw_ecn', 'nw_ttl']),
          ...match,
        ],
      };
    }
  }
}

function transportOf(
  random: Random,
  layer: 'ipv4' | 'ipv6',
  some: (fields: readonly FieldName[]) => Oxm[],
): { transport: Transport; match: Oxm[] } {
  const transport = random.pick<Transport>(['none', 'tcp', 'udp', 'sctp', 'icmp', layer === 'ipv6' ? 'nd' : 'tcp']);
  const proto = (number: number): Oxm => ({ field: 'nw_proto', value: number });
  switch (transport) {
    case 'none':
      return { transport, match: random.chance(0.3) ? [proto(random.pick([47, 50, 89]))] : [] };
    case 'tcp':
      return { transport, match: [proto(6), ...some(['tcp_src', 'tcp_dst', 'tcp_flags'])] };
    case 'udp':
      return { transport, match: [proto(17), ...some(['udp_src', 'udp_dst'])] };
    case 'sctp':
      return { transport, match: [proto(132), ...some(['sctp_src', 'sctp_dst'])] };
    case 'icmp':
      return {
        transport,
        match: layer === 'ipv4' ? [proto(1), ...some(['icmp_type', 'icmp_code'])] : [proto(58), ...some(['icmpv6_code'])],
      };
    case 'nd':
      return {
        transport,
        match: [proto(58), { field: 'icmpv6_type', value: 135 }, { field: 'icmpv6_code', value: 0 }, ...some(['nd_target', 'nd_sll'])],
      };
  }
}

function vlan(random: Random): Oxm[] {
  if (random.chance(0.6)) return [];
  return random.pick<() => Oxm[]>([
    () => [{ field: 'vlan_vid', value: 0 }],
    () => [{ field: 'vlan_vid', value: 0x1000 + random.below(4096) }],
    () => [
      { field: 'vlan_vid', value: 0x1000 + random.below(4096) },
      { field: 'vlan_pcp', value: random.below(8) },
    ],
    () => [{ field: 'vlan_vid', value: 0x1000, mask: 0x1000 }],
  ])();
}

function conntrack(random: Random): Oxm[] {
  if (random.chance(0.6)) return [];
  // trk with a few of new, est, rel, rpl, snat, dnat; what conntrack calls invalid cannot be committed.
  const bits = 0x20 | (random.bits(8) & 0xcf);
  return [{ field: 'ct_state', value: (random.bits(8) & bits & ~0x20) | 0x20, mask: bits }];
}

function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}

function randomLayers(random: Random): { layer: Layer; transport: Transport; match: Match } {
  const base = layers(random);
  const metadata = shuffled(random, METADATA)
    .slice(0, random.below(5))
    .map((field) => oxm(random, field));
  const port: Oxm[] = random.chance(0.3) ? [{ field: 'in_port', value: random.pick([1, 2, 3, PORTS.LOCAL]) }] : [];
  const conj: Oxm[] = random.chance(0.1) ? [{ field: 'conj_id', value: random.u32() }] : [];
  return { ...base, match: [...port, ...metadata, ...conj, ...conntrack(random), ...vlan(random), ...base.match] };
}

export function randomMatch(random: Random): Match {
  return randomLayers(random).match;
}

function subfield(random: Random, field: FieldName, bits?: number): Subfield {
  const width = FIELDS[field].bits;
  const size = bits ?? random.between(1, Math.min(width, 64));
  return { field, offset: random.below(width - size + 1), bits: size };
}

const REGISTERS: readonly FieldName[] = ['reg0', 'reg3', 'reg7', 'reg14', 'xreg2', 'xxreg1', 'metadata', 'tun_id', 'pkt_mark'];

function writable(layer: Layer, transport: Transport): FieldName[] {
  const fields: FieldName[] = [...REGISTERS, 'eth_src', 'eth_dst', 'tun_src', 'tun_dst', 'tun_gbp_id', 'tun_gbp_flags'];
  if (layer === 'ipv4') fields.push('ip_src', 'ip_dst');
  if (layer === 'ipv6') fields.push('ipv6_src', 'ipv6_dst', 'ipv6_label');
  if (layer === 'ipv4' || layer === 'ipv6') fields.push('ip_dscp', 'nw_ecn', 'nw_ttl');
  if (layer === 'arp') fields.push('arp_op', 'arp_spa', 'arp_tpa', 'arp_sha', 'arp_tha');
  if (layer === 'mpls') fields.push('mpls_label', 'mpls_tc', 'mpls_ttl');
  if (transport === 'tcp') fields.push('tcp_src', 'tcp_dst');
  if (transport === 'udp') fields.push('udp_src', 'udp_dst');
  if (transport === 'sctp') fields.push('sctp_src', 'sctp_dst');
  if (transport === 'nd') fields.push('nd_target', 'nd_sll');
  return fields;
}

function setField(random: Random, field: FieldName): Action {
  const entry = oxm(random, field);
  if (entry.field === 'unknown') throw new Error('a known field');
  // Open vSwitch keeps eight bits of it.
  if (field === 'arp_op') return { kind: 'set_field', field, value: random.between(1, 4) };
  return random.chance(0.2) && FIELDS[field].bits <= 64 && entry.mask === undefined
    ? { kind: 'set_field', field, value: entry.value, form: 'reg_load' }
    : { kind: 'set_field', field, value: entry.value, mask: entry.mask };
}

function nat(random: Random, layer: Layer): NatAction {
  if (random.chance(0.3)) return { kind: 'nat' };
  const direction = random.pick(['src', 'dst'] as const);
  const flags = random.pick([{}, { persistent: true }, { hash: true }, { random: true }, { persistent: true, random: true }]);
  const low = random.between(1, 0x7fff_ffff);
  const address =
    layer === 'ipv6'
      ? { ipv6_min: BigInt(low), ipv6_max: random.chance(0.5) ? BigInt(low) + 5n : undefined }
      : { ipv4_min: low, ipv4_max: random.chance(0.5) ? low + 5 : undefined };
  const port = random.between(1, 60_000);
  const ports = random.chance(0.5) ? { port_min: port, port_max: random.chance(0.5) ? port + 100 : undefined } : {};
  return { kind: 'nat', direction, ...flags, ...address, ...ports };
}

function ct(random: Random, layer: Layer, transport: Transport): Action {
  const zone = random.chance(0.7) ? random.bits(16) : subfield(random, random.pick(['reg4', 'reg11']), 16);
  const table = random.chance(0.7) ? random.between(30, 60) : undefined;
  if (random.chance(0.3)) return { kind: 'ct', zone, table, exec: random.chance(0.5) ? [{ kind: 'nat' }] : undefined };
  const exec: Action[] = [];
  if (random.chance(0.5)) exec.push(setField(random, 'ct_mark'));
  if (random.chance(0.3)) exec.push(setField(random, 'ct_label'));
  if (random.chance(0.2)) exec.push({ kind: 'move', src: subfield(random, 'reg1', 16), dst: subfield(random, 'ct_mark', 16) });
  if (random.chance(0.5)) exec.push(nat(random, layer));
  return {
    kind: 'ct',
    commit: true,
    force: random.chance(0.3) ? true : undefined,
    zone,
    table,
    alg: random.chance(0.5) ? undefined : transport === 'tcp' ? 21 : transport === 'udp' ? 69 : undefined,
    exec,
  };
}

function learn(random: Random): Action {
  const specs: LearnSpec[] = [
    { kind: 'match', src: subfield(random, 'eth_src', 48), dst: { field: 'eth_dst', offset: 0, bits: 48 } },
    { kind: 'match', src: random.bigBits(12), dst: subfield(random, 'reg2', 12) },
    { kind: 'load', src: random.bigBits(20), dst: subfield(random, 'reg6', 20) },
    { kind: 'load', src: subfield(random, 'reg1', 16), dst: subfield(random, 'reg8', 16) },
    { kind: 'output', src: { field: 'reg1', offset: 0, bits: 32 } },
  ];
  return {
    kind: 'learn',
    idle_timeout: random.bits(16),
    hard_timeout: random.bits(16),
    priority: random.bits(16),
    cookie: random.bigBits(63),
    flags: random.pick([0, 1, 2, 3]),
    table: random.between(1, 200),
    fin_idle_timeout: random.pick([0, 10]),
    fin_hard_timeout: random.pick([0, 20]),
    limit: random.pick([undefined, undefined, 100]),
    result_dst: random.chance(0.2) ? subfield(random, 'reg9', 1) : undefined,
    specs: shuffled(random, specs).slice(0, random.between(1, specs.length)),
  };
}

function controller(random: Random): Action {
  return {
    kind: 'controller',
    max_len: random.pick([undefined, 128, 65535]),
    controller_id: random.pick([undefined, 1, 7]),
    reason: random.pick(['action', undefined, 'no_match', 'invalid_ttl'] as const),
    userdata: random.chance(0.5) ? random.bytes(random.between(1, 40)) : undefined,
    pause: random.chance(0.1) ? true : undefined,
    meter_id: random.chance(0.2) ? random.between(1, 100) : undefined,
  };
}

type Make = (random: Random, layer: Layer, transport: Transport, depth: number) => Action;

const MAKERS: readonly Make[] = [
  (random) => ({ kind: 'output', port: random.pick([1, 2, 3, 4, PORTS.IN_PORT, PORTS.LOCAL, PORTS.FLOOD, PORTS.ALL, PORTS.NORMAL]) }),
  (random) => ({ kind: 'output', port: PORTS.CONTROLLER, max_len: random.pick([0, 128, 65535]) }),
  (random) => ({ kind: 'group', group_id: random.between(1, 4) }),
  (random) => ({ kind: 'set_queue', queue_id: random.u32() }),
  (random, layer, transport) => setField(random, random.pick(writable(layer, transport))),
  (random, layer, transport) => setField(random, random.pick(writable(layer, transport))),
  (random) => {
    const bits = random.between(1, 32);
    return {
      kind: 'move',
      src: subfield(random, random.pick(['reg0', 'reg9', 'xxreg1', 'tun_id']), bits),
      dst: subfield(random, random.pick(['reg3', 'xreg2', 'metadata']), bits),
    };
  },
  (random) => ({
    kind: 'resubmit',
    in_port: random.pick([undefined, 1, PORTS.LOCAL]),
    table: random.between(1, 250),
  }),
  (random) => ({ kind: 'resubmit', in_port: random.between(1, 1000) }),
  (random, layer, transport) => (layer === 'ipv4' || layer === 'ipv6' ? ct(random, layer, transport) : { kind: 'ct_clear' }),
  (random, layer, transport) => (layer === 'ipv4' || layer === 'ipv6' ? ct(random, layer, transport) : { kind: 'output', port: 1 }),
  (_random, layer) => (layer === 'ipv4' || layer === 'ipv6' ? { kind: 'dec_ttl' } : { kind: 'exit' }),
  (random, layer, transport, depth) =>
    depth > 2
      ? { kind: 'output', port: 1 }
      : { kind: 'clone', actions: random.some(1, 3, () => randomAction(random, layer, transport, depth + 1)) },
  (random) => ({ kind: 'note', data: random.bytes(random.pick([6, 14, 22])) }),
  (random) => controller(random),
  (random, layer) =>
    layer === 'ipv4' || layer === 'ipv6'
      ? { kind: 'dec_ttl_cnt_ids', ids: random.some(1, 5, () => random.bits(16)) }
      : { kind: 'pop_queue' },
  (random) => ({ kind: 'check_pkt_larger', length: random.bits(14), dst: subfield(random, 'reg0', 1) }),
  (random) => ({ kind: random.pick(['stack_push', 'stack_pop'] as const), subfield: subfield(random, random.pick(REGISTERS)) }),
  (random) => ({ kind: 'output_reg', src: subfield(random, 'reg1', random.between(1, 32)), max_len: random.pick([128, 65535]) }),
  (random) => ({ kind: 'output_trunc', port: random.between(1, 4), max_len: random.between(14, 5000) }),
  (random) => learn(random),
  (random) => ({
    kind: 'multipath',
    fields: random.pick([0, 1]),
    basis: random.bits(16),
    algorithm: random.between(0, 3),
    max_link: random.between(0, 15),
    arg: random.bits(16),
    dst: subfield(random, 'reg2', 16),
  }),
  (random) => ({
    kind: 'bundle',
    algorithm: random.pick([0, 1]),
    fields: random.pick([0, 1]),
    basis: random.bits(16),
    ports: random.some(1, 6, () => random.between(1, 4)),
    dst: random.chance(0.5) ? subfield(random, 'reg3', 16) : undefined,
  }),
  (random) => ({
    kind: 'sample',
    probability: random.between(1, 65535),
    collector_set_id: random.u32(),
    obs_domain_id: random.u32(),
    obs_point_id: random.u32(),
    sampling_port: random.pick([undefined, 3]),
    direction: random.pick([undefined, 'ingress', 'egress'] as const),
  }),
  (random, _layer, transport) =>
    transport === 'tcp'
      ? { kind: 'fin_timeout', fin_idle_timeout: random.bits(16), fin_hard_timeout: random.bits(16) }
      : { kind: 'output', port: 2 },
];

function randomAction(random: Random, layer: Layer, transport: Transport, depth: number): Action {
  return random.pick(MAKERS)(random, layer, transport, depth);
}

export interface FlowOptions {
  /** Everything may be referred to, or only ports. */
  readonly groups: boolean;
}

function randomActions(random: Random, layer: Layer, transport: Transport, options: FlowOptions): Action[] {
  return random.some(0, 5, () => randomAction(random, layer, transport, 0)).filter((action) => options.groups || !mentionsGroup(action));
}

function mentionsGroup(action: Action): boolean {
  return action.kind === 'group' || (action.kind === 'clone' && action.actions.some(mentionsGroup));
}

/** Actions that make sense as an action set. */
function actionSet(random: Random): Action[] {
  const set: Action[] = [];
  if (random.chance(0.5)) set.push(setField(random, random.pick(['reg1', 'eth_dst', 'tun_id'] as const)));
  if (random.chance(0.3)) set.push({ kind: 'set_queue', queue_id: random.bits(8) });
  set.push({ kind: 'output', port: random.between(1, 4) });
  return set;
}

/** A flow of table `table`; `n` makes its match unlike those of other flows. */
export function randomFlow(random: Random, table: number, n: number, options: FlowOptions): Flow {
  const { layer, transport, match } = randomLayers(random);
  const instructions: Instruction[] = [];
  if (random.chance(0.1)) instructions.push({ kind: 'meter', meter_id: random.between(1, 3) });
  const actions = randomActions(random, layer, transport, options);
  if (actions.length > 0 || random.chance(0.2)) instructions.push({ kind: 'apply_actions', actions });
  if (random.chance(0.1)) instructions.push({ kind: 'clear_actions' });
  if (random.chance(0.2)) instructions.push({ kind: 'write_actions', actions: actionSet(random) });
  if (random.chance(0.2)) {
    const bits = random.bigBits(64) | 1n;
    instructions.push({ kind: 'write_metadata', metadata: random.bigBits(64) & bits, mask: bits });
  }
  if (random.chance(0.4)) instructions.push({ kind: 'goto_table', table: table + random.between(1, 20) });
  return {
    table,
    priority: random.bits(16),
    match: [{ field: 'reg12', value: n }, ...match],
    instructions,
    cookie: random.bigBits(63),
    idle_timeout: random.chance(0.2) ? random.between(60, 60_000) : 0,
    hard_timeout: random.chance(0.2) ? random.between(60, 60_000) : 0,
    flags: random.chance(0.3) ? random.pick([1, 4, 8, 16, 25]) : 0,
  };
}

export function randomGroup(random: Random, group_id: number): Group {
  const type = random.pick(['all', 'select', 'indirect', 'fast_failover'] as const);
  const bucket = () => ({
    actions: randomActions(random, 'none', 'none', { groups: false }),
    weight: type === 'select' ? random.between(1, 100) : undefined,
    watch_port: type === 'fast_failover' ? random.between(1, 4) : undefined,
  });
  return { group_id, type, buckets: type === 'indirect' ? [bucket()] : random.some(0, 4, bucket) };
}

/** @param remark whether bands may remark: the dummy datapath only drops. */
export function randomMeter(random: Random, meter_id: number, remark: boolean): Meter {
  const isBurst = random.chance(0.5);
  const band = (): MeterBand => {
    const rate = random.between(1, 1_000_000);
    const burst_size = isBurst ? random.between(1, 1_000_000) : 0;
    return !remark || random.chance(0.7)
      ? { kind: 'drop', rate, burst_size }
      : { kind: 'dscp_remark', rate, burst_size, prec_level: random.between(1, 3) };
  };
  const flags = random.pick([1, 2]) | (isBurst ? 4 : 0) | (random.chance(0.5) ? 8 : 0);
  return { meter_id, flags, bands: random.some(1, 2, band) };
}
