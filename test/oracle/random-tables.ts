/**
 * Random tables that a switch accepts, for testing the interpreter against it.
 *
 * Owns: flows over a small world of values, so that packets hit them; actions of every kind the interpreter models, each only where the switch's
 * checks allow it (a set_field needs its prerequisites in the match).
 * Promises: two flows of one table have the same priority only if they belong to the same conjunctions, so that the switch has no choice.
 */
import type { Tables } from '../../flows/compile/contract.js';
import type { Action, CtAction, Instruction } from '../../flows/openflow/action.js';
import { flowKey } from '../../flows/openflow/canonical.js';
import { PORTS } from '../../flows/openflow/constants.js';
import { FIELDS, type FieldName } from '../../flows/openflow/fields.js';
import type { Flow, Group } from '../../flows/openflow/flow.js';
import type { FieldValue, OxmField, Subfield } from '../../flows/openflow/match.js';
import { CT_STATE, ETH_TYPE, IP_PROTO } from '../../flows/trace/prerequisite.js';
import type { Endpoint, PacketWorld } from './packets.js';
import type { Random } from './random.js';

/** Tables in use: 0 to this less one. */
const TABLES = 12;
/** Groups resubmit to tables from here on, which use no groups: no loops, whose traces grow without bounds. */
const FROM_BUCKETS = 9;
const GROUP_IDS = [1, 2, 3, 4] as const;
const METER = { meter_id: 1, flags: 2, bands: [{ kind: 'drop', rate: 100, burst_size: 0 }] } as const;

const { new: NEW, est: EST, rel: REL, rpl: RPL, inv: INV, trk: TRK } = CT_STATE;

/** What a match says about the packet, and hence which fields actions may touch. */
type Kind = 'any' | 'arp' | 'ipv4' | 'ipv6' | 'tcp' | 'udp6' | 'icmp' | 'nd';

const KINDS: Readonly<Record<Kind, readonly OxmField[]>> = {
  any: [],
  arp: [{ field: 'eth_type', value: ETH_TYPE.arp }],
  ipv4: [{ field: 'eth_type', value: ETH_TYPE.ipv4 }],
  ipv6: [{ field: 'eth_type', value: ETH_TYPE.ipv6 }],
  tcp: [
    { field: 'eth_type', value: ETH_TYPE.ipv4 },
    { field: 'nw_proto', value: IP_PROTO.tcp },
  ],
  udp6: [
    { field: 'eth_type', value: ETH_TYPE.ipv6 },
    { field: 'nw_proto', value: IP_PROTO.udp },
  ],
  icmp: [
    { field: 'eth_type', value: ETH_TYPE.ipv4 },
    { field: 'nw_proto', value: IP_PROTO.icmp },
  ],
  nd: [
    { field: 'eth_type', value: ETH_TYPE.ipv6 },
    { field: 'nw_proto', value: IP_PROTO.icmpv6 },
    { field: 'icmpv6_type', value: 135 },
    { field: 'icmpv6_code', value: 0 },
  ],
};

const FIELDS_OF: Readonly<Record<Kind, readonly FieldName[]>> = {
  any: [],
  arp: ['arp_op', 'arp_spa', 'arp_tpa', 'arp_sha', 'arp_tha'],
  ipv4: ['ip_src', 'ip_dst', 'nw_ttl', 'ip_dscp', 'nw_ecn', 'nw_tos'],
  ipv6: ['ipv6_src', 'ipv6_dst', 'ipv6_label', 'nw_ttl', 'ip_dscp'],
  tcp: ['ip_src', 'ip_dst', 'nw_ttl', 'tcp_src', 'tcp_dst'],
  udp6: ['ipv6_src', 'ipv6_dst', 'nw_ttl', 'udp_src', 'udp_dst'],
  icmp: ['ip_src', 'ip_dst', 'nw_ttl', 'icmp_type', 'icmp_code'],
  nd: ['ipv6_src', 'ipv6_dst', 'nd_target', 'nd_sll'],
};

const REGISTERS: readonly FieldName[] = ['reg0', 'reg1', 'reg2', 'reg3', 'reg15', 'xreg0', 'xreg1', 'xxreg0', 'xxreg1', 'metadata'];

export class TableMaker {
  readonly #world: PacketWorld;
  readonly #random: Random;
  #cookie = 1n;
  /** Open vSwitch 3.1 aborts on `ct(table=)` with a pending action set, and resumes wrongly after `exit`: tables have these or the other. */
  #writesActions = false;

  constructor(world: PacketWorld, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  tables(): Tables {
    this.#writesActions = this.#random.oneIn(2);
    const flows = Array.from({ length: TABLES }, (_, table) => this.#table(table)).flat();
    return {
      flows: new Map(flows.map((flow) => [flowKey(flow), flow])),
      groups: new Map(GROUP_IDS.map((group_id) => [group_id, this.#group(group_id)])),
      meters: new Map([[METER.meter_id, METER]]),
    };
  }

  /** Flows that match much come above flows that match little, or hardly any would be hit. */
  #table(table: number): Flow[] {
    const random = this.#random;
    const ordinary = random
      .times(14, () => {
        const kind = this.#kind();
        return { kind, match: this.#match(kind) };
      })
      .filter(({ match }) => match.length > 0)
      .sort((a, b) => a.match.length - b.match.length);
    const flows = ordinary.flatMap(({ kind, match }, n) => [
      ...(random.oneIn(7) ? this.#conjunctions(table, 105 + n * 10) : []),
      this.#make(table, 100 + n * 10, match, this.#instructions(table, kind, this.#tagging(match))),
    ]);
    if (!random.oneIn(4)) flows.push(this.#make(table, 0, [], this.#instructions(table, 'any')));
    return flows;
  }

  #make(table: number, priority: number, match: readonly OxmField[], instructions: readonly Instruction[]): Flow {
    return { table, priority, match, instructions, cookie: this.#cookie++ };
  }

  /** One or two conjunctions of two or three dimensions at one priority, sometimes without the flow of the id. */
  #conjunctions(table: number, priority: number): Flow[] {
    const random = this.#random;
    const n_clauses = 2 + random.below(2);
    const ids = random.times(1 + random.below(2), (n) => table * 1000 + priority * 2 + n + 1);
    const made = new Map<string, Flow>();
    const add = (match: readonly OxmField[], actions: readonly Action[]) => {
      const flow = this.#make(table, priority, match, [{ kind: 'apply_actions', actions }]);
      if (!made.has(flowKey(flow))) made.set(flowKey(flow), flow);
    };
    for (let clause = 0; clause < n_clauses; clause++) {
      for (const id of ids) {
        const others = ids
          .filter((other) => other !== id && random.oneIn(2))
          .map((other) => conjunction(other, random.below(n_clauses), n_clauses));
        add(this.#match(this.#kind()), [conjunction(id, clause, n_clauses), ...others]);
        if (random.oneIn(2)) add(this.#match('any'), [conjunction(id, clause, n_clauses)]);
      }
    }
    for (const id of ids) {
      if (random.oneIn(5)) continue;
      const kind = this.#kind();
      const match: OxmField[] = [{ field: 'conj_id', value: id }, ...(random.oneIn(2) ? KINDS[kind] : [])];
      const flow = this.#make(table, priority, match, this.#instructions(table, match.length > 1 ? kind : 'any'));
      made.set(flowKey(flow), flow);
    }
    return [...made.values()];
  }

  #kind(): Kind {
    return this.#random.pick<Kind>(['any', 'any', 'arp', 'ipv4', 'ipv4', 'ipv6', 'ipv6', 'tcp', 'udp6', 'icmp', 'nd']);
  }

  // ---- matches

  #match(kind: Kind): OxmField[] {
    const random = this.#random;
    const match = [...KINDS[kind]];
    const add = (field: FieldName) => {
      if (match.some((other) => other.field === field)) return;
      match.push(this.#oxm(field));
    };
    const more = FIELDS_OF[kind].filter((field) => !['nw_tos', 'nw_ecn'].includes(field));
    if (more.length > 0 && random.oneIn(2)) add(random.pick(more));
    if (random.oneIn(3)) match.push(this.#register());
    if (random.oneIn(4)) add('in_port');
    if (random.oneIn(4)) add(random.pick(['eth_src', 'eth_dst']));
    if (random.oneIn(4))
      match.push(
        random.pick<OxmField>([
          { field: 'vlan_vid', value: 0 },
          { field: 'vlan_vid', value: 0x1000, mask: 0x1000 },
        ]),
      );
    if (kind !== 'any' && kind !== 'arp' && random.oneIn(5)) match.push(this.#ctState());
    if (kind !== 'any' && kind !== 'arp' && kind !== 'nd' && random.oneIn(8)) {
      match.push(
        // Writing a port is refused where only later fragments match.
        random.pick<OxmField>([
          { field: 'ip_frag', value: 0, mask: 2 },
          { field: 'ip_frag', value: 1, mask: 1 },
          ...(kind === 'tcp' || kind === 'udp6' ? [] : [{ field: 'ip_frag', value: 3 } as const]),
        ]),
      );
    }
    return match;
  }

  #oxm(field: FieldName): OxmField {
    const value = this.#value(field);
    const { maskable, bits } = FIELDS[field];
    if (!maskable || this.#random.oneIn(2)) return { field, value };
    // A prefix of random length, as most masks are, or any bits at all.
    const prefix = 1 + this.#random.below(bits);
    const all = (1n << BigInt(bits)) - 1n;
    const mask = this.#random.oneIn(4) ? this.#random.bigint(bits) : (all << BigInt(bits - prefix)) & all;
    if (mask === 0n) return { field, value };
    return { field, value: like(value, BigInt(value as number | bigint) & mask), mask: like(value, mask) };
  }

  #register(): OxmField {
    return this.#oxm(this.#random.pick(REGISTERS));
  }

  #ctState(): OxmField {
    const [set, clear] = this.#random.pick([
      [TRK | NEW, 0],
      [TRK | EST, RPL],
      [TRK, INV],
      [TRK | RPL, 0],
      [0, TRK],
      [TRK | REL, 0],
    ] as const);
    return { field: 'ct_state', value: set, mask: set | clear };
  }

  #endpoint(): Endpoint {
    return this.#random.pick([...this.#world.local, ...this.#world.others]);
  }

  #value(field: FieldName): FieldValue {
    const random = this.#random;
    const { format, bits } = FIELDS[field];
    const endpoint = this.#endpoint();
    if (REGISTERS.includes(field)) return bits > 48 ? smallBits(random, bits) : Number(smallBits(random, bits));
    if (format === 'mac') return endpoint.mac;
    if (format === 'ipv4') return endpoint.ipv4[0]!;
    if (format === 'ipv6') return endpoint.ipv6[0]!;
    switch (field) {
      case 'in_port':
        return random.pick(this.#world.local).port;
      case 'nw_ttl':
        return random.pick([1, 2, 64]);
      case 'arp_op':
        return 1 + random.below(2);
      case 'nw_tos':
        return random.below(64) << 2;
      case 'icmp_type':
        return random.pick([0, 8]);
      case 'icmp_code':
        return 0;
      case 'tcp_src':
      case 'tcp_dst':
      case 'udp_src':
      case 'udp_dst':
        return random.pick(this.#world.services);
      default:
        return random.below(2 ** Math.min(bits, 20));
    }
  }

  // ---- instructions

  #instructions(table: number, kind: Kind, first: readonly Action[] = []): Instruction[] {
    const random = this.#random;
    const instructions: Instruction[] = [];
    if (random.oneIn(12)) instructions.push({ kind: 'meter', meter_id: METER.meter_id });
    const actions = random.oneIn(6) ? first : [...first, ...this.#actions(table, kind, 1 + random.below(4), 0)];
    if (actions.length > 0) instructions.push({ kind: 'apply_actions', actions });
    if (random.oneIn(15)) instructions.push({ kind: 'clear_actions' });
    if (this.#writesActions && random.oneIn(8)) instructions.push({ kind: 'write_actions', actions: this.#actionSet(kind) });
    if (random.oneIn(10)) instructions.push({ kind: 'write_metadata', metadata: smallBits(random, 64), mask: random.bigint(64) });
    if (table < TABLES - 1 && !random.oneIn(4)) instructions.push({ kind: 'goto_table', table: this.#later(table) });
    return instructions;
  }

  /** Tags are pushed and popped where the match says whether there is one: a third tag, or popping none, is refused. */
  #tagging(match: readonly OxmField[]): Action[] {
    const tag = match.find((oxm) => oxm.field === 'vlan_vid');
    if (tag === undefined || this.#random.oneIn(2)) return [];
    if (tag.value !== 0) return [{ kind: 'pop_vlan' }];
    const set: Action = { kind: 'set_field', field: 'vlan_vid', value: 0x1000 | this.#random.below(4096) };
    return this.#random.oneIn(2)
      ? [{ kind: 'push_vlan', ethertype: 0x8100 }, set]
      : [{ kind: 'push_vlan', ethertype: 0x8100 }, { kind: 'pop_vlan' }];
  }

  #later(table: number): number {
    return table + 1 + this.#random.below(Math.min(4, TABLES - 1 - table));
  }

  #actions(table: number, kind: Kind, n: number, depth: number): Action[] {
    return this.#random.times(n, () => this.#action(table, kind, depth)).flat();
  }

  #action(table: number, kind: Kind, depth: number): Action[] {
    const random = this.#random;
    const last = table >= TABLES - 1;
    const ip = kind !== 'any' && kind !== 'arp';
    const none = (): Action[] => [];
    return random.choose<Action[]>(
      [8, () => [this.#write(REGISTERS)]],
      [3, () => [this.#write(['eth_src', 'eth_dst'])]],
      [6, () => (FIELDS_OF[kind].length > 0 ? [this.#write(FIELDS_OF[kind])] : [])],
      [5, () => [this.#move(kind)]],
      [3, () => (ip ? [{ kind: 'dec_ttl' }] : [])],
      [8, () => [{ kind: 'output', port: this.#port() }]],
      [4, () => (last ? [] : [{ kind: 'resubmit', table: this.#later(table), ...(random.oneIn(4) ? { in_port: this.#port() } : {}) }])],
      [2, table < FROM_BUCKETS ? () => [{ kind: 'group', group_id: random.pick(GROUP_IDS) }] : none],
      [2, depth < 2 ? () => [{ kind: 'clone', actions: this.#actions(table, kind, 1 + random.below(3), depth + 1) }] : none],
      [4, ip && !last ? () => [this.#ct(table, kind)] : none],
      [1, () => [{ kind: 'ct_clear' }]],
      [2, () => [this.#controller()]],
      [1, () => [{ kind: 'note', data: Uint8Array.of(1, 2, 3, 4, 5, 6) }]],
      [1, () => this.#stackSwap()],
      [1, () => [{ kind: 'stack_pop', subfield: this.#registerPart(16) }]],
      [1, () => [{ kind: 'output_reg', src: { field: 'reg0', offset: 0, bits: 16 }, max_len: 0xffff }]],
      [1, () => (this.#writesActions && random.oneIn(4) ? [{ kind: 'exit' }] : [])],
    );
  }

  #port(): number {
    const random = this.#random;
    return random.oneIn(5) ? PORTS.IN_PORT : random.pick(this.#world.local).port;
  }

  #write(fields: readonly FieldName[]): Action {
    const field = this.#random.pick(fields);
    // ofproto/trace prints an ARP operation of more than 8 bits nowhere, and arp_op cannot be masked anyway.
    const { value, mask } =
      FIELDS[field].writable && FIELDS[field].maskable ? this.#oxm(field) : { value: this.#value(field), mask: undefined };
    return mask === undefined ? { kind: 'set_field', field, value } : { kind: 'set_field', field, value, mask };
  }

  #registerPart(bits: number): Subfield {
    const field = this.#random.pick(REGISTERS.filter((each) => FIELDS[each].bits >= bits));
    return { field, offset: this.#random.below(FIELDS[field].bits - bits + 1), bits };
  }

  #move(kind: Kind): Action {
    const random = this.#random;
    const headers = (['eth_src', 'eth_dst', ...FIELDS_OF[kind]] as FieldName[]).filter((field) => !['nw_tos', 'arp_op'].includes(field));
    const header = random.pick(headers);
    const same = headers.filter((other) => FIELDS[other].bits === FIELDS[header].bits);
    return random.choose<Action>(
      [2, () => ({ kind: 'move', src: whole(header), dst: whole(random.pick(same)) })],
      [2, () => ({ kind: 'move', src: whole(header), dst: this.#registerPart(FIELDS[header].bits) })],
      [2, () => ({ kind: 'move', src: this.#registerPart(FIELDS[header].bits), dst: whole(header) })],
      [
        2,
        () => {
          const bits = 1 + random.below(32);
          return { kind: 'move', src: this.#registerPart(bits), dst: this.#registerPart(bits) };
        },
      ],
    );
  }

  #stackSwap(): Action[] {
    const [a, b] = [whole('eth_src'), whole('eth_dst')];
    return [
      { kind: 'stack_push', subfield: a },
      { kind: 'stack_push', subfield: b },
      { kind: 'stack_pop', subfield: a },
      { kind: 'stack_pop', subfield: b },
    ];
  }

  #ct(table: number, kind: Kind): CtAction {
    const random = this.#random;
    const zone = random.oneIn(2) ? 1 + random.below(100) : { field: 'reg1' as const, offset: random.below(17), bits: 16 };
    const exec = random.times(random.below(3), (): Action =>
      random.choose<Action>(
        [1, () => ({ kind: 'set_field', field: 'ct_mark', value: 1, mask: 1 })],
        [1, () => ({ kind: 'set_field', field: 'ct_label', value: random.bigint(128) })],
        [1, () => ({ kind: 'move', src: whole('reg0'), dst: { field: 'ct_label', offset: 32, bits: 32 } })],
      ),
    );
    if (!this.#writesActions && random.oneIn(6) && kind === 'tcp') {
      const side = random.pick(['src', 'dst'] as const);
      return {
        kind: 'ct',
        commit: true,
        zone,
        table: this.#later(table),
        exec: [{ kind: 'nat', direction: side, ipv4_min: this.#endpoint().ipv4[0]! }],
      };
    }
    const recirculates = !this.#writesActions && random.oneIn(2);
    const commit = !recirculates || random.oneIn(2);
    return { kind: 'ct', zone, ...(commit ? { commit, exec } : {}), ...(recirculates ? { table: this.#later(table) } : {}) };
  }

  #controller(): Action {
    const random = this.#random;
    const meter_id = random.oneIn(3) ? METER.meter_id : undefined;
    return { kind: 'controller', max_len: 128, controller_id: random.below(3), userdata: Uint8Array.of(random.below(256)), meter_id };
  }

  /** Fields only on which nothing need be matched: an action set is checked against the match too. */
  #actionSet(kind: Kind): Action[] {
    const random = this.#random;
    const final: Action = random.oneIn(5) ? { kind: 'group', group_id: random.pick(GROUP_IDS) } : { kind: 'output', port: this.#port() };
    const fields = [...REGISTERS, 'eth_src', 'eth_dst', ...FIELDS_OF[kind]] as FieldName[];
    return random.shuffled([...random.times(random.below(3), () => this.#write(fields)), final]);
  }

  #group(group_id: number): Group {
    const random = this.#random;
    const type = random.pick(['all', 'all', 'indirect', 'fast_failover'] as const);
    const buckets = random.times(type === 'indirect' ? 1 : 1 + random.below(3), () => {
      const writes = random.times(random.below(3), () => this.#write(['eth_src', 'eth_dst', 'reg2', 'reg3', 'metadata']));
      const final = random.choose<Action>(
        [3, () => ({ kind: 'output', port: this.#port() })],
        [2, () => ({ kind: 'resubmit', table: FROM_BUCKETS + random.below(TABLES - FROM_BUCKETS) })],
      );
      const port = random.pick(this.#world.local).port;
      return {
        actions: [...writes, final],
        ...(type === 'fast_failover' ? { watch_port: port } : {}),
      };
    });
    return { group_id, type, buckets };
  }
}

function conjunction(id: number, clause: number, n_clauses: number): Action {
  return { kind: 'conjunction', id, clause, n_clauses };
}

function whole(field: FieldName): Subfield {
  return { field, offset: 0, bits: FIELDS[field].bits };
}

/** A value in which few bits are set, so that masked matches have a chance. */
function smallBits(random: Random, bits: number): bigint {
  return random.oneIn(4) ? random.bigint(bits) : BigInt(random.below(4)) << BigInt(32 * random.below(Math.max(1, bits / 32)));
}

function like(model: FieldValue, value: bigint): FieldValue {
  return typeof model === 'number' ? Number(value) : value;
}
