import type { Action, Instruction } from '../../flows/openflow/action.js';
import { canonicalActions, canonicalInstructions } from '../../flows/openflow/canonical-action.js';
import { canonicalMatch } from '../../flows/openflow/canonical-match.js';
import { flowBody, flowKey, groupBody, meterBody } from '../../flows/openflow/canonical.js';
import type { Match } from '../../flows/openflow/match.js';
import { matchToString } from '../../flows/openflow/text-match.js';
import { parseActions, parseInstructions } from '../../flows/openflow/text-action-parse.js';
import { parseFlow, parseMatch } from '../../flows/openflow/text-flow.js';
import { Random } from './random.js';
import { randomFlow } from './random-values.js';

const key = (match: Match) => flowKey({ table: 1, priority: 2, match });
const body = (...instructions: Instruction[]) => flowBody({ instructions });
const applied = (...actions: Action[]) => body({ kind: 'apply_actions', actions });

describe('the key of a flow', () => {
  it.each<[string, Match, Match]>([
    ['a mask of all bits', [{ field: 'reg0', value: 5, mask: 0xffffffff }], [{ field: 'reg0', value: 5 }]],
    ['a mask of all bits of 12', [{ field: 'tcp_flags', value: 2, mask: 0xfff }], [{ field: 'tcp_flags', value: 2 }]],
    ['a mask of no bits', [{ field: 'metadata', value: 5n, mask: 0n }], []],
    [
      'value bits outside the mask',
      [{ field: 'ip_src', value: 0x0a0000ff, mask: 0xffffff00 }],
      [{ field: 'ip_src', value: 0x0a000000, mask: 0xffffff00 }],
    ],
    [
      'the order of fields',
      [
        { field: 'reg0', value: 1 },
        { field: 'eth_type', value: 0x800 },
      ],
      [
        { field: 'eth_type', value: 0x800 },
        { field: 'reg0', value: 1 },
      ],
    ],
    [
      'an xreg',
      [{ field: 'xreg1', value: 0x1_0000_0002n }],
      [
        { field: 'reg2', value: 1 },
        { field: 'reg3', value: 2 },
      ],
    ],
    ['half an xxreg', [{ field: 'xxreg0', value: 7n, mask: 0xffff_ffffn }], [{ field: 'reg3', value: 7 }]],
    [
      'a vlan_tci',
      [{ field: 'vlan_tci', value: 0x3005 }],
      [
        { field: 'vlan_vid', value: 0x1005 },
        { field: 'vlan_pcp', value: 1 },
      ],
    ],
    ['a 16-bit in_port', [{ field: 'nxm_in_port', value: 0xfffe }], [{ field: 'in_port', value: 0xfffffffe }]],
    ['nw_tos', [{ field: 'nw_tos', value: 0xb8 }], [{ field: 'ip_dscp', value: 46 }]],
    ['packet_type Ethernet', [{ field: 'packet_type', value: 0 }], []],
    [
      'a mask of 48 bits',
      [{ field: 'eth_dst', value: 0x0100_0000_0001, mask: 0x0100_0000_0000 }],
      [{ field: 'eth_dst', value: 0x0100_0000_0000, mask: 0x0100_0000_0000 }],
    ],
    [
      'a tunnel option exactly',
      [{ field: 'tun_metadata0', value: Uint8Array.of(1, 2, 3, 4), mask: Uint8Array.of(255, 255, 255, 255) }],
      [{ field: 'tun_metadata0', value: Uint8Array.of(1, 2, 3, 4) }],
    ],
  ])('does not depend on %s', (_, one, other) => {
    expect(key(one)).toBe(key(other));
  });

  it.each<[string, Match, Match]>([
    ['values', [{ field: 'reg0', value: 1 }], [{ field: 'reg0', value: 2 }]],
    ['masks', [{ field: 'reg0', value: 0, mask: 1 }], [{ field: 'reg0', value: 0, mask: 3 }]],
    ['fields', [{ field: 'reg0', value: 1 }], [{ field: 'reg1', value: 1 }]],
    ['an exact zero and nothing', [{ field: 'reg0', value: 0 }], []],
    [
      'unknown fields',
      [{ field: 'unknown', header: 0x12340401, bytes: Uint8Array.of(1) }],
      [{ field: 'unknown', header: 0x12340401, bytes: Uint8Array.of(2) }],
    ],
  ])('tells %s apart', (_, one, other) => {
    expect(key(one)).not.toBe(key(other));
  });

  it('has table and priority but no cookie', () => {
    const flow = parseFlow('table=3,priority=7,cookie=1,ip,nw_dst=10.0.0.0/8 actions=drop');
    expect(flowKey({ ...flow, cookie: 2n } as typeof flow)).toBe(flowKey(flow));
    expect(new Set([flowKey(flow), flowKey({ ...flow, table: 4 }), flowKey({ ...flow, priority: 8 })]).size).toBe(3);
  });
});

describe('the body of a flow', () => {
  it.each<[string, string, string]>([
    ['how a field is set', applied(...parseActions('set_field:5->reg1')), applied(...parseActions('load:5->NXM_NX_REG1[]'))],
    ['an old set_tunnel', applied(...parseActions('set_tunnel:7')), applied(...parseActions('set_field:7->tun_id'))],
    [
      'loads one by one',
      applied(...parseActions('load:1->reg1[0..3],load:2->reg1[8..11]')),
      applied(...parseActions('set_field:0x201/0xf0f->reg1')),
    ],
    ['the length of an output to a port', applied({ kind: 'output', port: 1, max_len: 9 }), applied({ kind: 'output', port: 1 })],
    [
      'defaults of a punt',
      applied({ kind: 'controller', max_len: 65535, controller_id: 0, reason: 1, userdata: new Uint8Array(0) }),
      applied({ kind: 'controller' }),
    ],
    ['defaults of ct', applied({ kind: 'ct', zone: 1, alg: 0, exec: [], commit: false }), applied({ kind: 'ct', zone: 1 })],
    [
      'a range of one',
      applied({ kind: 'nat', direction: 'src', ipv4_min: 5, ipv4_max: 5 }),
      applied({ kind: 'nat', direction: 'src', ipv4_min: 5 }),
    ],
    ['table 255', applied({ kind: 'resubmit', in_port: 1, table: 255 }), applied({ kind: 'resubmit', in_port: 1 })],
    [
      'padding of a note',
      applied({ kind: 'note', data: Uint8Array.of(1) }),
      applied({ kind: 'note', data: Uint8Array.of(1, 0, 0, 0, 0, 0) }),
    ],
    ['a write of no bits', applied({ kind: 'set_field', field: 'reg0', value: 0, mask: 0 }), body()],
    ['empty instructions', body({ kind: 'apply_actions', actions: [] }, { kind: 'write_actions', actions: [] }), body()],
    ['the order of instructions', body(...parseInstructions('goto_table:9,meter:1')), body(...parseInstructions('meter:1,goto_table:9'))],
    [
      'metadata outside the mask',
      body({ kind: 'write_metadata', metadata: 0xffn, mask: 0x0fn }),
      body({ kind: 'write_metadata', metadata: 0x0fn, mask: 0x0fn }),
    ],
    [
      'actions inside clone and ct',
      applied(...parseActions('clone(ct(commit,exec(load:5->NXM_NX_CT_MARK[])))')),
      applied(...parseActions('clone(ct(commit,exec(set_field:5->ct_mark)))')),
    ],
  ])('does not depend on %s', (_, one, other) => {
    expect(one).toBe(other);
  });

  it('tells actions, timeouts and flags apart', () => {
    const bodies = [
      ...[
        'output:1',
        'output:2',
        'output:1,output:2',
        'output:2,output:1',
        'CONTROLLER:128',
        'CONTROLLER:129',
        'set_field:1->reg0',
        'set_field:1/1->reg0',
      ],
      ...[
        'ct(zone=1)',
        'ct(zone=2)',
        'ct(commit,zone=1)',
        'ct(zone=1,table=3)',
        'ct(zone=NXM_NX_REG0[0..15])',
        'ct(zone=NXM_NX_REG1[0..15])',
        'resubmit(,3)',
      ],
      ...[
        'resubmit(,4)',
        'resubmit(,4,ct)',
        'conjunction(1,1/2)',
        'conjunction(1,2/2)',
        'conjunction(2,1/2)',
        'dec_ttl',
        'dec_ttl(1)',
        'note:01',
        'note:02',
      ],
      ...[
        'learn(table=1)',
        'learn(table=1,NXM_OF_ETH_SRC[])',
        'learn(table=1,load:1->reg0[])',
        'sample(probability=1)',
        'goto_table:1',
        'goto_table:2',
        'meter:1',
      ],
      ...['write_metadata:1', 'write_metadata:1/1', 'write_actions(output:1)', 'clear_actions', 'drop'],
    ].map((text) => body(...parseInstructions(text)));
    const others = [{ idle_timeout: 1 }, { hard_timeout: 1 }, { flags: 1 }].map((extra) => flowBody({ instructions: [], ...extra }));
    expect(new Set([...bodies, ...others]).size).toBe(bodies.length + others.length);
  });
});

describe('canonical forms', () => {
  it('are their own canonical forms', () => {
    const random = new Random(4);
    for (let n = 0; n < 500; n++) {
      const { match, instructions } = randomFlow(random, 1, n, { groups: true });
      const once = canonicalMatch(match);
      expect(canonicalMatch(once)).toBe(once);
      for (const instruction of canonicalInstructions(instructions)) {
        if (instruction.kind === 'apply_actions') expect(canonicalActions(instruction.actions)).toEqual(instruction.actions);
      }
    }
  });

  it('of matches say the same in text', () => {
    const random = new Random(6);
    for (let n = 0; n < 500; n++) {
      const { match } = randomFlow(random, 1, n, { groups: true });
      expect(key(parseMatch(matchToString(match)))).toBe(
        key(match.map((oxm) => (oxm.field === 'tun_gbp_flags' ? { ...oxm, mask: undefined } : oxm))),
      );
    }
  });

  it('of groups have weights only to select by and watches only to fail over by', () => {
    const bucket = { actions: [{ kind: 'output' as const, port: 1 }] };
    expect(groupBody({ type: 'select', buckets: [bucket] })).toBe(
      groupBody({ type: 'select', buckets: [{ ...bucket, weight: 1, watch_port: 5 }] }),
    );
    expect(groupBody({ type: 'all', buckets: [bucket] })).toBe(groupBody({ type: 'all', buckets: [{ ...bucket, weight: 7 }] }));
    expect(groupBody({ type: 'select', buckets: [bucket] })).not.toBe(groupBody({ type: 'select', buckets: [{ ...bucket, weight: 2 }] }));
    expect(groupBody({ type: 'fast_failover', buckets: [bucket] })).not.toBe(
      groupBody({ type: 'fast_failover', buckets: [{ ...bucket, watch_port: 5 }] }),
    );
  });

  it('of meters have the rate for a burst of nothing', () => {
    const meter = (burst_size: number) => meterBody({ flags: 1, bands: [{ kind: 'drop', rate: 10, burst_size }] });
    expect([meter(0) === meter(10), meter(0) === meter(11)]).toEqual([true, false]);
  });
});
