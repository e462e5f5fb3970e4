import type { Action } from '../../../flows/openflow/action.js';
import type { FieldName } from '../../../flows/openflow/fields.js';
import { extractFields } from '../../../flows/packet/packet-view.js';
import { Interpreter } from '../../../flows/trace/interpreter.js';
import type { FieldRecord } from '../../../flows/trace/microflow.js';
import type { Punt, Trace } from '../../../flows/trace/result.js';
import { flow, IN_PORT, out, ports, set, SYN, tables } from './tables.js';

const whole = (field: FieldName, bits: number) => ({ field, offset: 0, bits });

/** Runs actions on a packet, then sends it to port 9. */
function run(packet: FieldRecord, ...actions: readonly Action[]): Trace {
  return new Interpreter(tables([flow(0, 1, {}, ...actions, out(9))])).trace(packet);
}

function after(packet: FieldRecord, fields: readonly FieldName[], ...actions: readonly Action[]): unknown {
  const sent = run(packet, ...actions).outputs[0]!.packet;
  return Object.fromEntries(fields.map((field) => [field, sent.get(field)]));
}

const NS: FieldRecord = {
  in_port: 1,
  eth_type: 0x86dd,
  nw_proto: 58,
  nw_ttl: 255,
  icmpv6_type: 135,
  icmpv6_code: 0,
  nd_target: 0xfd00_0000_0000_0000_0000_0000_0000_0002n,
  nd_sll: 0x0a0000000001,
};

describe('multipath', () => {
  it('hashes a later fragment without ports, as the switch does', () => {
    const hash: Action = { kind: 'multipath', fields: 3, basis: 1, algorithm: 0, max_link: 127, arg: 0, dst: whole('reg3', 32) };
    const packet: FieldRecord = { in_port: 1, eth_type: 0x800, nw_proto: 17, ip_src: 0x0a32_000b, ip_dst: 0xc633_6501, ip_frag: 3 };
    const back: FieldRecord = { ...packet, ip_src: 0xc633_6501, ip_dst: 0x0a32_000b };
    // Seen in ofproto/trace of Open vSwitch 3.1.
    expect([after(packet, ['reg3'], hash), after(back, ['reg3'], hash)]).toEqual([{ reg3: 0x47 }, { reg3: 0x47 }]);
  });
});

describe('set_field', () => {
  it('writes under its mask and leaves the other bits', () => {
    expect(after({ ...SYN, reg3: 0xffff_ffff }, ['reg3'], set('reg3', 0x1200, 0xff00))).toEqual({ reg3: 0xffff_12ff });
  });

  it('writes parts of what xreg and xxreg alias', () => {
    const actions = [set('xxreg0', 0x1111_1111_2222_2222_3333_3333_4444_4444n), set('xreg1', 0x55n)];
    expect(after(SYN, ['reg0', 'reg1', 'reg2', 'reg3', 'xreg0'], ...actions)).toEqual({
      reg0: 0x1111_1111,
      reg1: 0x2222_2222,
      reg2: 0,
      reg3: 0x55,
      xreg0: 0x1111_1111_2222_2222n,
    });
  });

  it('is skipped when the packet lacks the field', () => {
    expect(after({ ...SYN, ip_frag: 3 }, ['tcp_dst', 'nw_ttl'], set('tcp_dst', 7), set('nw_ttl', 9))).toEqual({ tcp_dst: 80, nw_ttl: 9 });
    expect(after(SYN, ['arp_op', 'vlan_tci'], set('arp_op', 2), set('vlan_pcp', 3))).toEqual({ arp_op: 6, vlan_tci: 0 });
  });

  it('writes DSCP and ECN apart', () => {
    const actions = [set('nw_tos', 0xb8), set('nw_ecn', 1), set('ip_dscp', 10)];
    expect(after({ ...SYN, nw_tos: 0xff }, ['nw_tos', 'ip_dscp', 'nw_ecn'], ...actions)).toEqual({ nw_tos: 0x29, ip_dscp: 10, nw_ecn: 1 });
  });

  it('turns a solicitation into an advertisement', () => {
    const actions = [set('icmpv6_type', 136), set('nd_tll', 0x0a0000000009), set('nd_sll', 5)];
    expect(after(NS, ['icmpv6_type', 'nd_tll', 'nd_sll'], ...actions)).toEqual({
      icmpv6_type: 136,
      nd_tll: 0x0a0000000009,
      nd_sll: 0x0a0000000001,
    });
  });

  it('records what it changed', () => {
    const step = run(SYN, set('nw_ttl', 5)).steps.find((each) => each.kind === 'action');
    expect(step).toEqual({
      kind: 'action',
      pass: 0,
      depth: 0,
      action: set('nw_ttl', 5),
      note: undefined,
      change: { field: 'nw_ttl', before: 64, after: 5 },
    });
  });
});

describe('move', () => {
  it('copies between fields and registers, also within one field', () => {
    const actions: Action[] = [
      { kind: 'move', src: whole('eth_src', 48), dst: { field: 'xxreg1', offset: 40, bits: 48 } },
      { kind: 'move', src: { field: 'xxreg1', offset: 40, bits: 48 }, dst: whole('eth_dst', 48) },
      { kind: 'move', src: { field: 'xxreg2', offset: 0, bits: 96 }, dst: { field: 'xxreg2', offset: 32, bits: 96 } },
    ];
    const packet = { ...SYN, xxreg2: 0x1_0000_0002_0000_0003_0000_0004n };
    expect(after(packet, ['eth_dst', 'xxreg1', 'xxreg2'], ...actions)).toEqual({
      eth_dst: 0x0a0000000001,
      xxreg1: 0x0a00_0000_0001n << 40n,
      xxreg2: 0x2_0000_0003_0000_0004_0000_0004n,
    });
  });

  it('is skipped when the packet lacks either field', () => {
    const move: Action = { kind: 'move', src: whole('arp_spa', 32), dst: whole('reg0', 32) };
    expect(after(SYN, ['reg0'], move)).toEqual({ reg0: 0 });
  });

  it('swaps through the stack', () => {
    const field = (name: FieldName) => ({ subfield: whole(name, 32) });
    const actions: Action[] = [
      { kind: 'stack_push', ...field('ip_src') },
      { kind: 'stack_push', ...field('ip_dst') },
      { kind: 'stack_pop', ...field('ip_src') },
      { kind: 'stack_pop', ...field('ip_dst') },
      { kind: 'stack_pop', ...field('reg0') },
    ];
    expect(after(SYN, ['ip_src', 'ip_dst', 'reg0'], ...actions)).toEqual({ ip_src: SYN.ip_dst, ip_dst: SYN.ip_src, reg0: 0 });
  });
});

describe('dec_ttl', () => {
  it('decrements IP packets and leaves others alone', () => {
    expect(after(SYN, ['nw_ttl'], { kind: 'dec_ttl' }, { kind: 'dec_ttl' })).toEqual({ nw_ttl: 62 });
    expect(ports(run({ in_port: 1, eth_type: 0x0806 }, { kind: 'dec_ttl' }))).toEqual([9]);
  });

  it('ends the list when the TTL runs out: a drop, and a packet-in for those who asked', () => {
    const trace = run({ ...SYN, nw_ttl: 1 }, { kind: 'dec_ttl' });
    expect({
      verdict: trace.verdict,
      drops: trace.drops.map((drop) => drop.why),
      punts: trace.punts.map(({ reason, controller_id, implicit }) => ({ reason, controller_id, implicit })),
    }).toEqual({ verdict: 'dropped', drops: ['ttl'], punts: [{ reason: 'invalid_ttl', controller_id: 0, implicit: true }] });
  });

  it('names the controllers it was given', () => {
    const trace = run({ ...SYN, nw_ttl: 0 }, { kind: 'dec_ttl_cnt_ids', ids: [3, 4] });
    expect(trace.punts.map((punt) => punt.controller_id)).toEqual([3, 4]);
  });
});

describe('VLAN tags', () => {
  const push: Action = { kind: 'push_vlan', ethertype: 0x8100 };

  it('are pushed, written and popped', () => {
    expect(after(SYN, ['vlan_vid'], push, set('vlan_vid', 0x1007), set('vlan_pcp', 5))).toEqual({ vlan_vid: 0x1007 });
    expect(after(SYN, ['vlan_tci'], push, set('vlan_vid', 0x1007), set('vlan_pcp', 5))).toEqual({ vlan_tci: 0xb007 });
    expect(after({ ...SYN, vlan_vid: 0x1003 }, ['vlan_tci'], push, set('vlan_vid', 0x1007), { kind: 'pop_vlan' })).toEqual({
      vlan_tci: 0x1003,
    });
    expect(after({ ...SYN, vlan_vid: 0x1003 }, ['vlan_tci'], { kind: 'pop_vlan' }, { kind: 'pop_vlan' })).toEqual({ vlan_tci: 0 });
  });

  it.each([
    ['no tag', { vlan_vid: 0 }, [true, false, false]],
    ['any tag', { vlan_vid: [0x1000, 0x1000] }, [false, true, true]],
    ['one tag', { vlan_vid: 0x1000 | 5 }, [false, true, false]],
    ['a priority', { vlan_pcp: 0 }, [false, true, false]],
  ] as const)('match %s', (_, match, expected) => {
    const interpreter = new Interpreter(tables([flow(0, 1, match, out(9))]));
    const packets = [
      { vlan_vid: 0, vlan_pcp: 0 },
      { vlan_vid: 0x1005, vlan_pcp: 0 },
      { vlan_vid: 0x1006, vlan_pcp: 2 },
    ];
    expect(packets.map((tag) => interpreter.trace({ ...SYN, ...tag }).verdict === 'delivered')).toEqual(expected);
  });
});

describe('output', () => {
  it('is suppressed towards the ingress port unless it says IN_PORT', () => {
    const trace = new Interpreter(tables([flow(0, 1, {}, out(1), out(2), out(IN_PORT))])).trace(SYN);
    expect(trace.outputs.map(({ port, to_in_port }) => [port, to_in_port])).toEqual([
      [2, false],
      [1, true],
    ]);
  });

  it('only towards the ingress port is a drop with its reason', () => {
    const trace = new Interpreter(tables([flow(0, 1, {}, set('reg15', 3), out(1))])).trace(SYN);
    expect({ verdict: trace.verdict, drops: trace.drops.map(({ why, packet }) => [why, packet.get('reg15')]) }).toEqual({
      verdict: 'dropped',
      drops: [['in_port', 3]],
    });
  });

  it('reads its port from a register', () => {
    const action: Action = { kind: 'output_reg', src: { field: 'reg0', offset: 16, bits: 16 }, max_len: 0 };
    expect(ports(new Interpreter(tables([flow(0, 1, {}, set('reg0', 0x0007_0000), action)])).trace(SYN))).toEqual([7]);
  });

  it('to ports that do not exist is a drop when the ports are known', () => {
    const interpreter = new Interpreter(tables([flow(0, 1, {}, out(5))]));
    const trace = interpreter.trace(SYN, { ports: new Set([1, 2]) });
    expect(trace.drops.map((drop) => drop.why)).toEqual(['no_port']);
  });

  it('to ALL reaches every known port but the ingress port', () => {
    const interpreter = new Interpreter(tables([flow(0, 1, {}, out(0xffff_fffc))]));
    expect(ports(interpreter.trace(SYN, { ports: new Set([1, 2, 3]) }))).toEqual([2, 3]);
    expect(interpreter.trace(SYN).verdict).toBe('undecidable');
  });
});

describe('controller', () => {
  it('carries userdata, controller and meter, with the packet as it then is', () => {
    const punt: Action = { kind: 'controller', controller_id: 1, userdata: Uint8Array.of(7), meter_id: 3, max_len: 128 };
    const trace = new Interpreter(tables([flow(0, 1, {}, set('reg1', 5), punt, set('reg1', 6))])).trace(SYN);
    const [{ reason, controller_id, userdata, meter_id, max_len, packet }] = trace.punts as [Punt];
    expect({ verdict: trace.verdict, reason, controller_id, userdata, meter_id, max_len, reg1: packet.get('reg1') }).toEqual({
      verdict: 'punted',
      reason: 'action',
      controller_id: 1,
      userdata: Uint8Array.of(7),
      meter_id: 3,
      max_len: 128,
      reg1: 5,
    });
  });

  it('in a table-miss flow reports a miss', () => {
    const trace = new Interpreter(tables([flow(0, 0, {}, { kind: 'controller' })])).trace(SYN);
    expect(trace.punts[0]!.reason).toBe('no_match');
  });
});

describe('a frame', () => {
  it('is answered as its fields say', () => {
    const request = Uint8Array.from(
      Buffer.from('ffffffffffff0a0000000001080600010800060400010a00000000010a000001000000000000' + '0a000002', 'hex'),
    );
    const [output] = run({ in_port: 1, ...extractFields(request) }, set('arp_op', 2), set('arp_sha', 7)).outputs;
    expect(output!.packet.toFields()).toEqual({
      in_port: 1,
      eth_dst: 0xffff_ffff_ffff,
      eth_src: 0x0a0000000001,
      eth_type: 0x0806,
      arp_op: 2,
      arp_spa: 0x0a000001,
      arp_tpa: 0x0a000002,
      arp_sha: 7,
      arp_tha: 0,
    });
  });
});

describe('what is not modelled', () => {
  it.each<[string, Action]>([
    ['NORMAL', out(0xffff_fffa)],
    ['MPLS', { kind: 'push_mpls', ethertype: 0x8847 }],
    ['an unmodelled field', set('nsh_ttl', 4)],
  ])('makes the verdict undecidable: %s', (_, action) => {
    const trace = run(SYN, action);
    expect({ verdict: trace.verdict, undecided: trace.undecided.length, ports: ports(trace) }).toEqual({
      verdict: 'undecidable',
      undecided: 1,
      ports: [9],
    });
  });

  it('in the match of the best flow makes the verdict undecidable', () => {
    const interpreter = new Interpreter(tables([flow(0, 5, { mpls_label: 4 }, out(1)), flow(0, 1, {}, out(2))]));
    expect(interpreter.trace(SYN)).toMatchObject({ verdict: 'undecidable', undecided: [{ why: 'match field mpls_label' }], outputs: [] });
  });

  it('in the packet is refused', () => {
    const interpreter = new Interpreter(tables([]));
    expect(() => interpreter.trace({ ...SYN, nsh_ttl: 4 })).toThrow(RangeError);
  });
});
