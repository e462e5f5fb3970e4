import type { CtAction } from '../../../flows/openflow/action.js';
import { ConnectionTable } from '../../../flows/trace/connection-table.js';
import { FixedAnswers, type Conntrack } from '../../../flows/trace/conntrack.js';
import { Interpreter } from '../../../flows/trace/interpreter.js';
import { Microflow, type FieldRecord } from '../../../flows/trace/microflow.js';
import { CT_STATE } from '../../../flows/trace/prerequisite.js';
import { flow, out, ports, resubmit, set, SYN, tables, walk } from './tables.js';

const { new: NEW, est: EST, rpl: RPL, inv: INV, trk: TRK } = CT_STATE;

function reply(packet: FieldRecord): FieldRecord {
  return { ...packet, in_port: 2, ip_src: packet.ip_dst!, ip_dst: packet.ip_src!, tcp_src: packet.tcp_dst!, tcp_dst: packet.tcp_src! };
}

const ACK = { ...SYN, tcp_flags: 0x010 };
const SYN_ACK = { ...reply(SYN), tcp_flags: 0x012 };
const RST = { ...reply(SYN), tcp_flags: 0x014 };

/** Tracks in zone 5, then commits what is new. */
const FIREWALL = new Interpreter(
  tables([
    flow(0, 1, { eth_type: 0x800 }, { kind: 'ct', zone: 5, table: 1 }),
    flow(1, 3, { ct_state: [TRK | NEW, TRK | NEW] }, { kind: 'ct', commit: true, zone: 5, exec: [set('ct_mark', 9)] }, out(2)),
    flow(1, 2, { ct_state: [TRK | EST, TRK | EST] }, out(3)),
    flow(1, 1, {}, out(4)),
  ]),
);

function states(conntrack: Conntrack, ...packets: readonly (FieldRecord | readonly [FieldRecord, FieldRecord])[]): string[] {
  return packets.map((each) => {
    const [packet, quoted] = Array.isArray(each) ? (each as [FieldRecord, FieldRecord]) : [each as FieldRecord, undefined];
    const trace = FIREWALL.trace(packet, { conntrack, quoted });
    if (trace.verdict === 'undecidable') return '?';
    const names = Object.entries(CT_STATE).filter(([, bit]) => (trace.tracked[0]!.state & bit) !== 0);
    return names.map(([name]) => name).join('|');
  });
}

describe('ct', () => {
  it('forks the packet into the table and leaves it untracked where it was', () => {
    const interpreter = new Interpreter(
      tables([
        flow(
          0,
          1,
          { eth_type: 0x800 },
          set('reg0', 4),
          { kind: 'ct', zone: { field: 'reg0', offset: 0, bits: 16 }, table: 3 },
          resubmit(1),
        ),
        flow(1, 2, { ct_state: [0, TRK] }, out(2)),
        flow(3, 2, { ct_state: [TRK | NEW, TRK | NEW], ct_zone: 4, reg0: 4 }, out(3)),
      ]),
    );
    const trace = interpreter.trace(SYN);
    expect({ walk: walk(trace), passes: trace.outputs.map(({ port, pass }) => [port, pass]), tracked: trace.tracked }).toEqual({
      walk: ['0', '1', '3'],
      passes: [
        [2, 0],
        [3, 1],
      ],
      tracked: [{ pass: 0, resumed: 1, zone: 4, state: TRK | NEW }],
    });
  });

  it('takes its answers from a list, one per pass', () => {
    const interpreter = new Interpreter(
      tables([
        flow(0, 1, { eth_type: 0x800 }, { kind: 'ct', zone: 1, table: 1 }),
        flow(1, 1, { eth_type: 0x800 }, { kind: 'ct', zone: 2, table: 2 }),
        flow(2, 1, { ct_state: TRK | EST | RPL }, out(2)),
      ]),
    );
    expect(ports(interpreter.trace(SYN, { conntrack: new FixedAnswers([TRK | INV, TRK | EST | RPL]) }))).toEqual([2]);
    expect(interpreter.trace(SYN).drops.map((drop) => drop.packet.get('ct_state'))).toEqual([TRK | NEW]);
  });

  it('records commits with what they write', () => {
    const exec: CtAction['exec'] = [
      set('ct_mark', 4, 6),
      { kind: 'move', src: { field: 'reg9', offset: 0, bits: 32 }, dst: { field: 'ct_label', offset: 32, bits: 32 } },
    ];
    const interpreter = new Interpreter(
      tables([flow(0, 1, { eth_type: 0x800 }, { kind: 'ct', commit: true, force: true, zone: 3, exec })]),
    );
    const trace = interpreter.trace({ ...SYN, reg9: 0xabc });
    expect(trace.commits.map(({ zone, force, mark, label }) => ({ zone, force, mark, label }))).toEqual([
      { zone: 3, force: true, mark: { value: 4, mask: 6 }, label: { value: 0xabcn << 32n, mask: 0xffff_ffffn << 32n } },
    ]);
  });

  it('is undone by ct_clear', () => {
    const interpreter = new Interpreter(
      tables([
        flow(0, 1, { eth_type: 0x800 }, { kind: 'ct', zone: 1, table: 1 }),
        flow(1, 1, {}, { kind: 'ct_clear' }, 2),
        flow(2, 1, { ct_state: 0, ct_zone: 0, ct_mark: 0 }, out(2)),
      ]),
    );
    expect(ports(interpreter.trace(SYN))).toEqual([2]);
  });

  it('translates to the first address and port of a range', () => {
    const nat = { kind: 'nat', direction: 'src', ipv4_min: 0xc0000201, ipv4_max: 0xc0000209, port_min: 2000 } as const;
    const interpreter = new Interpreter(
      tables([
        flow(0, 1, { eth_type: 0x800 }, { kind: 'ct', commit: true, zone: 1, table: 1, exec: [nat] }),
        flow(1, 1, { ip_src: 0xc0000201, tcp_src: 2000 }, out(2)),
      ]),
    );
    const trace = interpreter.trace(SYN);
    expect({ ports: ports(trace), nat: trace.commits[0]!.nat }).toEqual({ ports: [2], nat });
  });

  it('with a pending action set brings the switch down', () => {
    const write = { kind: 'write_actions' as const, actions: [out(2)] };
    const interpreter = new Interpreter(
      tables([flow(0, 1, {}, write, 1), flow(1, 1, { eth_type: 0x800 }, { kind: 'ct', zone: 1, table: 2 }), flow(2, 1, {}, out(3))]),
    );
    expect(interpreter.trace(SYN)).toMatchObject({ verdict: 'dropped', tracked: [], errors: [{ pass: 0 }] });
  });

  it('after an exit in a bucket resumes somewhere else, so the verdict is undecidable', () => {
    const bucket = { actions: [resubmit(5)] };
    const interpreter = new Interpreter(
      tables(
        [
          flow(0, 1, { eth_type: 0x800 }, { kind: 'group', group_id: 1 }, { kind: 'ct', zone: 1, table: 2 }),
          flow(5, 1, {}, { kind: 'exit' }),
          flow(2, 1, {}, out(2)),
        ],
        [{ group_id: 1, type: 'all', buckets: [bucket] }],
      ),
    );
    expect(interpreter.trace(SYN)).toMatchObject({ verdict: 'undecidable', undecided: [{ why: 'ct(table=) after an exit' }], outputs: [] });
  });

  it('that goes round in circles is given up', () => {
    const interpreter = new Interpreter(tables([flow(0, 1, { eth_type: 0x800 }, { kind: 'ct', zone: 1, table: 0 })]));
    expect(interpreter.trace(SYN).errors).toHaveLength(1);
  });
});

describe('connection table', () => {
  it('follows a TCP connection: SYN, SYN again, SYN-ACK, ACK', () => {
    const conntrack = new ConnectionTable();
    expect(states(conntrack, SYN, SYN, SYN_ACK, ACK, reply(ACK))).toEqual(['new|trk', 'new|trk', 'est|rpl|trk', 'est|trk', 'est|rpl|trk']);
    expect(conntrack.entries()).toMatchObject([{ zone: 5, mark: 9, replied: true, original: { sport: 40000, dport: 80 } }]);
  });

  it('calls packets that begin nothing invalid', () => {
    const conntrack = new ConnectionTable();
    const answers = [
      { ...SYN, tcp_flags: 0x012 },
      { ...SYN, tcp_flags: 0x003 },
      { ...SYN, nw_proto: 1, icmp_type: 0 },
      { ...SYN, nw_proto: 1, icmp_type: 5 },
    ];
    expect(states(conntrack, ...answers.slice(0, 3))).toEqual(['inv|trk', 'inv|trk', 'inv|trk']);
    // A redirect is an error: without what it quotes nobody can tell.
    expect(states(conntrack, answers[3]!)).toEqual(['?']);
  });

  it('takes a connection up in the middle', () => {
    expect(states(new ConnectionTable(), ACK, reply(ACK))).toEqual(['new|trk', 'est|rpl|trk']);
  });

  it('starts anew after a reset', () => {
    expect(states(new ConnectionTable(), SYN, SYN_ACK, RST, SYN, SYN_ACK)).toEqual([
      'new|trk',
      'est|rpl|trk',
      'est|rpl|trk',
      'new|trk',
      'est|rpl|trk',
    ]);
  });

  it('relates ICMP errors to the connection they quote', () => {
    const error = (to: FieldRecord) => ({ ...to, nw_proto: 1, icmp_type: 3, icmp_code: 1 });
    const other = { ...SYN, tcp_dst: 99 };
    expect(states(new ConnectionTable(), SYN, [error(reply(SYN)), SYN], [error(SYN), reply(SYN)], [error(SYN), other])).toEqual([
      'new|trk',
      'rel|rpl|trk',
      'rel|trk',
      'inv|trk',
    ]);
  });

  it('knows UDP and echo connections by their addresses', () => {
    const udp = { ...SYN, nw_proto: 17, udp_src: 5, udp_dst: 6 };
    const udpReply = { ...udp, ip_src: udp.ip_dst!, ip_dst: udp.ip_src!, udp_src: 6, udp_dst: 5 };
    const echo = { ...SYN, nw_proto: 1, icmp_type: 8, icmp_code: 0 };
    const echoReply = { ...echo, ip_src: echo.ip_dst!, ip_dst: echo.ip_src!, icmp_type: 0 };
    expect(states(new ConnectionTable(), udp, udpReply, udp, echo, echoReply)).toEqual([
      'new|trk',
      'est|rpl|trk',
      'est|trk',
      'new|trk',
      'est|rpl|trk',
    ]);
  });

  it('keeps zones apart and forgets a flushed one', () => {
    const conntrack = new ConnectionTable();
    states(conntrack, SYN);
    conntrack.flush(6);
    expect(conntrack.entries()).toHaveLength(1);
    conntrack.flush(5);
    expect(states(conntrack, SYN_ACK)).toEqual(['inv|trk']);
  });

  it('lets later fragments follow the only connection between their hosts', () => {
    const later = { ...SYN, ip_frag: 3 };
    const conntrack = new ConnectionTable();
    expect(states(conntrack, later, SYN, later, { ...SYN, tcp_dst: 81 }, later)).toEqual(['?', 'new|trk', 'new|trk', 'new|trk', '?']);
  });

  it('translates a connection both ways', () => {
    const conntrack = new ConnectionTable();
    const nat = { kind: 'nat', direction: 'dst', ipv4_min: 0x0a000063, port_min: 8080 } as const;
    const interpreter = new Interpreter(
      tables([
        flow(0, 2, { in_port: 1, eth_type: 0x800 }, { kind: 'ct', commit: true, zone: 1, table: 1, exec: [nat] }),
        flow(0, 1, { in_port: 2, eth_type: 0x800 }, { kind: 'ct', zone: 1, table: 1, exec: [{ kind: 'nat' }] }),
        flow(1, 1, {}, out(3)),
      ]),
    );
    const there = interpreter.trace(SYN, { conntrack }).outputs[0]!.packet;
    const answer = { ...SYN, in_port: 2, ip_src: 0x0a000063, ip_dst: SYN.ip_src!, tcp_src: 8080, tcp_dst: SYN.tcp_src!, tcp_flags: 0x012 };
    const back = interpreter.trace(answer, { conntrack }).outputs[0]!.packet;
    expect(
      [there, back].map((packet) => (['ip_src', 'tcp_src', 'ip_dst', 'tcp_dst', 'ct_state'] as const).map((field) => packet.get(field))),
    ).toEqual([
      [SYN.ip_src, 40000, 0x0a000063, 8080, TRK | NEW | CT_STATE.dnat],
      [SYN.ip_dst, 80, SYN.ip_src, 40000, TRK | EST | RPL | CT_STATE.dnat],
    ]);
  });

  it('makes the sender the originator when a reply is committed by force', () => {
    const conntrack = new ConnectionTable();
    states(conntrack, SYN);
    const packet = Microflow.from(reply(ACK));
    const request = { zone: 5, packet, commit: true, mark: { value: 0, mask: 0 }, label: { value: 0n, mask: 0n }, recirculates: true };
    expect(conntrack.track({ ...request, force: false })?.state).toBe(TRK | EST | RPL);
    expect(conntrack.track({ ...request, force: true })?.state).toBe(TRK | NEW);
  });

  it('is left alone by tracing alternatives', () => {
    const conntrack = new ConnectionTable();
    FIREWALL.traceAlternatives(SYN, { conntrack });
    expect(conntrack.entries()).toEqual([]);
  });
});
