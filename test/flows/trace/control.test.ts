import type { Action } from '../../../flows/openflow/action.js';
import { commonVerdict, Interpreter } from '../../../flows/trace/interpreter.js';
import { flow, out, ports, resubmit, set, SYN, tables, walk } from './tables.js';

const writeOutput = (port: number) => ({ kind: 'write_actions' as const, actions: [out(port)] });

describe('tables', () => {
  it('are walked by goto_table after the actions, and by resubmit in between', () => {
    const interpreter = new Interpreter(
      tables([
        flow(0, 1, {}, set('reg0', 1), resubmit(5), out(2), 3),
        flow(5, 1, { reg0: 1 }, set('reg0', 2)),
        flow(3, 1, { reg0: 2 }, out(4)),
      ]),
    );
    const trace = interpreter.trace(SYN);
    const depths = trace.steps.flatMap((step) => (step.kind === 'table' ? [[step.table, step.via, step.depth]] : []));
    expect({ depths, ports: ports(trace) }).toEqual({
      depths: [
        [0, 'start', 0],
        [5, 'resubmit', 1],
        [3, 'goto_table', 0],
      ],
      ports: [2, 4],
    });
  });

  it('drop what misses, with the last table and the registers', () => {
    const interpreter = new Interpreter(tables([flow(0, 1, {}, set('reg15', 0x0009, 0xffff), 4), flow(4, 1, { tcp_dst: 81 }, out(2))]));
    const trace = interpreter.trace(SYN);
    expect(trace.drops.map(({ why, table, by, packet }) => ({ why, table, by, reg15: packet.get('reg15') }))).toEqual([
      { why: 'miss', table: 4, by: undefined, reg15: 9 },
    ]);
    expect(trace.verdict).toBe('dropped');
  });

  it('drop by a flow without actions, naming it', () => {
    const trace = new Interpreter(tables([flow(0, 1, {}, 250), flow(250, 3, {})])).trace(SYN);
    expect(trace.drops.map(({ why, table, by }) => [why, table, by?.flow.priority])).toEqual([['no_actions', 250, 3]]);
  });

  it('drop by a flow that leads nowhere', () => {
    const trace = new Interpreter(tables([flow(0, 7, {}, set('reg0', 1))])).trace(SYN);
    expect(trace.drops.map(({ why, by }) => [why, by?.flow.priority])).toEqual([['no_output', 7]]);
  });

  it('looked up as functions drop nothing by missing', () => {
    const trace = new Interpreter(tables([flow(0, 1, {}, resubmit(9), out(2))])).trace(SYN);
    expect({ walk: walk(trace), drops: trace.drops, ports: ports(trace) }).toEqual({ walk: ['0', '9:miss'], drops: [], ports: [2] });
  });

  it('may be looked up with another ingress port', () => {
    const interpreter = new Interpreter(
      tables([flow(0, 1, {}, { kind: 'resubmit', table: 1, in_port: 7 }), flow(1, 1, { in_port: 7 }, out(7), out(1))]),
    );
    expect(ports(interpreter.trace(SYN))).toEqual([7]);
  });

  it('see no ports in later fragments', () => {
    const interpreter = new Interpreter(
      tables([flow(0, 2, { eth_type: 0x800, nw_proto: 6, tcp_dst: 80 }, out(2)), flow(0, 1, { tcp_dst: 0 }, out(3))]),
    );
    expect([0, 1, 3].map((ip_frag) => ports(interpreter.trace({ ...SYN, ip_frag })))).toEqual([[2], [2], [3]]);
  });

  it('are left by exit', () => {
    const interpreter = new Interpreter(
      tables([flow(0, 1, {}, resubmit(1), out(3), 2), flow(1, 1, {}, out(2), { kind: 'exit' }), flow(2, 1, {}, out(4))]),
    );
    expect(ports(interpreter.trace(SYN))).toEqual([2]);
  });
});

describe('limits', () => {
  it('drop a packet whole after 64 levels', () => {
    const interpreter = new Interpreter(tables([flow(0, 1, {}, out(2), resubmit(0))]));
    const trace = interpreter.trace(SYN);
    expect(trace).toMatchObject({ verdict: 'dropped', outputs: [], errors: [{ pass: 0, why: 'over max translation depth 64' }] });
  });

  it('drop a packet whole after 4096 lookups, goto_table included', () => {
    const fan = (table: number) => flow(table, 1, {}, ...Array.from({ length: 16 }, () => resubmit(table + 1)));
    const three = [fan(0), fan(1), fan(2), flow(3, 1, {}, out(2))];
    const fits = new Interpreter(
      tables([...three.slice(0, 2), flow(2, 1, {}, ...Array.from({ length: 13 }, () => resubmit(3))), three[3]!]),
    );
    expect(fits.trace(SYN)).toMatchObject({ resubmits: 16 + 256 + 256 * 13, errors: [] });
    expect(new Interpreter(tables(three)).trace(SYN)).toMatchObject({ outputs: [], errors: [{ why: 'over 4096 resubmit actions' }] });
    const goto = [
      fan(0),
      fan(1),
      flow(2, 1, {}, ...Array.from({ length: 8 }, () => resubmit(3))),
      flow(3, 1, {}, 4),
      flow(4, 1, {}, out(2)),
    ];
    expect(new Interpreter(tables(goto)).trace(SYN).errors).toHaveLength(1);
  });
});

describe('groups', () => {
  const bucket = (...actions: readonly Action[]) => ({ actions });

  it('of type all send a copy through each bucket', () => {
    const interpreter = new Interpreter(
      tables(
        [flow(0, 1, {}, { kind: 'group', group_id: 4 }, out(9)), flow(5, 1, { reg2: 2 }, set('reg15', 1))],
        [{ group_id: 4, type: 'all', buckets: [bucket(set('eth_dst', 7), out(2)), bucket(set('reg2', 2), resubmit(5)), bucket(out(3))] }],
      ),
    );
    const trace = interpreter.trace(SYN);
    expect({
      outputs: trace.outputs.map(({ port, packet }) => [port, packet.get('eth_dst')]),
      drops: trace.drops.map(({ table, why, packet }) => [table, why, packet.get('reg15')]),
    }).toEqual({
      outputs: [
        [2, 7],
        [3, SYN.eth_dst],
        [9, SYN.eth_dst],
      ],
      drops: [[5, 'no_output', 1]],
    });
  });

  it('run a bucket as an action set: writes first, one final action', () => {
    const interpreter = new Interpreter(
      tables(
        [flow(0, 1, {}, { kind: 'group', group_id: 1 })],
        [{ group_id: 1, type: 'indirect', buckets: [bucket(out(2), set('eth_dst', 7), out(3))] }],
      ),
    );
    expect(interpreter.trace(SYN).outputs.map(({ port, packet }) => [port, packet.get('eth_dst')])).toEqual([[3, 7]]);
  });

  it('of type select take the bucket they are told, or each in turn', () => {
    const interpreter = new Interpreter(
      tables(
        [flow(0, 1, {}, { kind: 'group', group_id: 1 })],
        [{ group_id: 1, type: 'select', buckets: [bucket(out(2)), bucket(out(3)), bucket(out(1))] }],
      ),
    );
    expect(ports(interpreter.trace(SYN, { choose: () => 1 }))).toEqual([3]);
    const ways = interpreter.traceAlternatives(SYN);
    expect({ ways: ways.map(ports), verdict: commonVerdict(ways), decision: ways[1]!.decisions }).toEqual({
      ways: [[2], [], [3]],
      verdict: 'undecidable',
      decision: [{ kind: 'select_bucket', group_id: 1, options: [0, 1, 2], taken: 2 }],
    });
  });

  it('of type fast_failover take the first bucket whose port exists', () => {
    const buckets = [
      { actions: [out(5)], watch_port: 5 },
      { actions: [out(2)], watch_port: 2 },
    ];
    const interpreter = new Interpreter(
      tables([flow(0, 1, {}, { kind: 'group', group_id: 1 })], [{ group_id: 1, type: 'fast_failover', buckets }]),
    );
    expect(ports(interpreter.trace(SYN, { ports: new Set([1, 2]) }))).toEqual([2]);
  });

  it('that do not exist end the list', () => {
    const trace = new Interpreter(tables([flow(0, 1, {}, { kind: 'group', group_id: 1 }, out(2))])).trace(SYN);
    expect({ ports: ports(trace), drops: trace.drops.map((drop) => drop.why) }).toEqual({ ports: [], drops: ['no_group'] });
  });
});

describe('clone', () => {
  it('leaves the packet, the action set and the stack as they were', () => {
    const body: Action[] = [set('eth_dst', 7), { kind: 'stack_push', subfield: { field: 'eth_dst', offset: 0, bits: 48 } }, out(2)];
    const pop: Action = { kind: 'stack_pop', subfield: { field: 'eth_src', offset: 0, bits: 48 } };
    const interpreter = new Interpreter(tables([flow(0, 1, {}, { kind: 'clone', actions: body }, pop, out(3))]));
    expect(interpreter.trace(SYN).outputs.map(({ port, packet }) => [port, packet.get('eth_dst'), packet.get('eth_src')])).toEqual([
      [2, 7, SYN.eth_src],
      [3, SYN.eth_dst, SYN.eth_src],
    ]);
  });
});

describe('action set', () => {
  it('runs at the end, the last of each action, output only without group', () => {
    const interpreter = new Interpreter(
      tables(
        [
          flow(0, 1, {}, writeOutput(2), 1),
          flow(1, 1, { actset_output: 2 }, { kind: 'write_actions', actions: [set('eth_dst', 5)] }, 2),
          flow(2, 1, {}, writeOutput(3), out(4)),
        ],
        [],
      ),
    );
    expect(interpreter.trace(SYN).outputs.map(({ port, packet }) => [port, packet.get('eth_dst')])).toEqual([
      [4, SYN.eth_dst],
      [3, 5],
    ]);
  });

  it('is emptied by clear_actions before write_actions of the same flow', () => {
    const interpreter = new Interpreter(
      tables([flow(0, 1, {}, writeOutput(2), 1), flow(1, 1, {}, writeOutput(3), { kind: 'clear_actions' })]),
    );
    expect(ports(interpreter.trace(SYN))).toEqual([3]);
  });

  it('does nothing without a final action', () => {
    const trace = new Interpreter(tables([flow(0, 1, {}, { kind: 'write_actions', actions: [set('eth_dst', 5)] })])).trace(SYN);
    expect({ verdict: trace.verdict, actionSets: trace.steps.filter((step) => step.kind === 'action_set') }).toEqual({
      verdict: 'dropped',
      actionSets: [],
    });
  });
});

describe('instructions', () => {
  it('run in the order of the standard: meter, apply, write, metadata, goto', () => {
    const first = flow(
      0,
      1,
      {},
      { kind: 'write_metadata', metadata: 0x500n, mask: 0xff00n },
      { kind: 'meter', meter_id: 3 },
      set('metadata', 0x0102n),
      1,
    );
    const trace = new Interpreter(tables([first, flow(1, 1, { metadata: 0x0502n }, out(2))])).trace(SYN);
    expect({ ports: ports(trace), meters: trace.meters.map((meter) => meter.meter_id) }).toEqual({ ports: [2], meters: [3] });
  });
});

describe('check_pkt_larger', () => {
  const check: Action = { kind: 'check_pkt_larger', length: 1500, dst: { field: 'reg0', offset: 0, bits: 1 } };
  const interpreter = new Interpreter(
    tables([
      flow(0, 1, {}, resubmit(1), resubmit(2)),
      flow(1, 1, {}, check, resubmit(2)),
      flow(2, 2, { reg0: 1 }, out(2)),
      flow(2, 1, { reg0: 0 }, out(3)),
    ]),
  );

  it('is seen by the rest of its own list only', () => {
    expect([1500, 1501].map((length) => ports(interpreter.trace(SYN, { length })))).toEqual([
      [3, 3],
      [2, 3],
    ]);
  });

  it('goes both ways when the length is not known', () => {
    expect(interpreter.traceAlternatives(SYN).map(ports)).toEqual([
      [2, 3],
      [3, 3],
    ]);
  });
});
