import type { PolicyRegisters, PuntedFrame } from '../../../datapath/respond/contract.js';
import { PolicyLog, type PolicyLine } from '../../../datapath/respond/policy-log.js';
import { PolicyNames } from '../../../datapath/respond/policy-names.js';
import { respondReject } from '../../../datapath/respond/reject.js';
import { parseIpv4, parseIpv6 } from '../../../flows/net/ip.js';
import { BROADCAST_MAC, parseMac } from '../../../flows/net/mac.js';
import type { IpEnds } from '../../../flows/packet/checksum.js';
import { decodeEthernet } from '../../../flows/packet/ethernet.js';
import { decodeIcmpv4, decodeIcmpv6, encodeIcmpv4 } from '../../../flows/packet/icmp.js';
import { encodeIpFrame, type Envelope } from '../../../flows/packet/ip-frame.js';
import { decodeIpv4 } from '../../../flows/packet/ipv4.js';
import { decodeIpv6 } from '../../../flows/packet/ipv6.js';
import { udpFrame } from '../../../flows/packet/probes.js';
import { decodeTcp, encodeTcp, TCP_FLAG } from '../../../flows/packet/tcp.js';
import { transportChecksum } from '../../../flows/packet/checksum.js';
import type { PolicyPunt } from '../../../flows/pipeline/punt.js';
import { groupRule, iface, securityGroup } from '../../flows/compile/slice-builder.js';

const A = parseMac('02:00:00:00:00:0a');
const B = parseMac('02:00:00:00:00:0b');
const v4: IpEnds = { family: 'ipv4', src: parseIpv4('10.0.0.1'), dst: parseIpv4('10.0.0.2') };
const v6: IpEnds = { family: 'ipv6', src: parseIpv6('fd00::1'), dst: parseIpv6('fd00::2') };
const envelope = (ip: IpEnds): Envelope => ({ eth_src: A, eth_dst: B, ip });
const tcp = (ip: IpEnds, flags: number, payload = 0): Uint8Array =>
  encodeIpFrame(
    envelope(ip),
    6,
    encodeTcp(
      {
        src_port: 4000,
        dst_port: 80,
        seq: 100,
        ack: 700,
        flags,
        window: 1,
        urgent: 0,
        options: new Uint8Array(0),
        payload: new Uint8Array(payload),
      },
      ip,
    ),
  );
const registers: PolicyRegisters = { rule_key: 7, metadata: 0x5_0000_0003n, destination_port: 9 };
const egress: PolicyPunt = { kind: 'reject', direction: 'egress', log: false };
const ingress: PolicyPunt = { kind: 'reject', direction: 'ingress', log: true };
const punted = (punt: PolicyPunt, data: Uint8Array): PuntedFrame => ({ punt, data, port_key: 4, registers });
const answered = (data: Uint8Array) => respondReject(egress, punted(egress, data));

function ipOf(frame: Uint8Array): { src: number | bigint; payload: Uint8Array } {
  const ethernet = decodeEthernet(frame);
  if (!ethernet.ok || ethernet.value.src !== B || ethernet.value.dst !== A) throw new Error('not the other way round');
  const packet = ethernet.value.eth_type === 0x800 ? decodeIpv4(ethernet.value.payload) : decodeIpv6(ethernet.value.payload);
  if (!packet.ok) throw new Error('not IP');
  return packet.value;
}

describe('a rejection', () => {
  it('of TCP is a reset that its sender believes', () => {
    const reset = (flags: number, payload = 0) => {
      const { src, payload: bytes } = ipOf(answered(tcp(v4, flags, payload)).frames[0]!);
      const segment = decodeTcp(bytes);
      if (!segment.ok) throw new Error('not TCP');
      const { src_port, dst_port, seq, ack, flags: said } = segment.value;
      const isRight = transportChecksum({ family: 'ipv4', src: v4.dst, dst: v4.src }, 6, bytes) === 0;
      return { src, src_port, dst_port, seq, ack, said, isRight };
    };
    const common = { src: v4.dst, src_port: 80, dst_port: 4000, isRight: true };
    expect([reset(TCP_FLAG.SYN), reset(TCP_FLAG.ACK, 5), reset(TCP_FLAG.FIN, 5)]).toEqual([
      { ...common, seq: 0, ack: 101, said: TCP_FLAG.RST | TCP_FLAG.ACK },
      { ...common, seq: 700, ack: 0, said: TCP_FLAG.RST },
      { ...common, seq: 0, ack: 106, said: TCP_FLAG.RST | TCP_FLAG.ACK },
    ]);
  });

  it('of UDP is port unreachable, of the rest administratively prohibited', () => {
    const icmp4 = (data: Uint8Array) => decodeIcmpv4(ipOf(answered(data).frames[0]!).payload);
    const udp6 = ipOf(answered(udpFrame(envelope(v6), { src_port: 1, dst_port: 2 })).frames[0]!);
    const type = (message: ReturnType<typeof icmp4>) => message.ok && [message.value.type, message.value.code];
    expect([
      type(icmp4(udpFrame(envelope(v4), { src_port: 1, dst_port: 2 }))),
      type(icmp4(encodeIpFrame(envelope(v4), 132, new Uint8Array(12)))),
      type(decodeIcmpv6(udp6.payload, { family: 'ipv6', src: v6.dst, dst: v6.src })),
    ]).toEqual([
      [3, 3],
      [3, 13],
      [1, 4],
    ]);
  });

  it('is not due to a reset, an ICMP error, a broadcast, nor to what cannot be read', () => {
    const error = encodeIcmpv4({ type: 3, code: 1, body: new Uint8Array(32) });
    const outcomes = [
      tcp(v4, TCP_FLAG.RST),
      encodeIpFrame(envelope(v4), 1, error),
      udpFrame({ ...envelope(v4), eth_dst: BROADCAST_MAC }, { src_port: 1, dst_port: 2 }),
      tcp(v4, TCP_FLAG.SYN).subarray(0, 40),
      new Uint8Array(3),
    ].map((data) => answered(data).outcome);
    expect(outcomes).toEqual(['not_due', 'not_due', 'not_due', 'malformed', 'malformed']);
  });

  it('of the receiver goes through the pipeline in its name', () => {
    const { frames, injected = [] } = respondReject(ingress, punted(ingress, tcp(v4, TCP_FLAG.SYN)));
    expect([frames.length, injected.map(({ actions }) => actions)]).toEqual([
      0,
      [
        [
          { kind: 'set_field', field: 'metadata', value: 0x5_0000_0003n },
          { kind: 'set_field', field: 'reg1', value: 9 },
          { kind: 'set_field', field: 'reg0', value: 0x80, mask: 0x80 },
          { kind: 'resubmit', table: 36 },
        ],
      ],
    ]);
  });
});

describe('the log of rules', () => {
  it('names rule and interface, keeps to the rate of the rule, and says what it left out', () => {
    const names = new PolicyNames();
    names.apply(
      [securityGroup('g', [groupRule('r', 7, { log: { rate: 2 } }), groupRule('quiet', 8)]), iface('vm', 9), iface('src', 4)],
      [],
    );
    const lines: PolicyLine[] = [];
    let now = 0;
    const log = new PolicyLog({ names, now: () => now, write: (line) => lines.push(line) });
    const note = (key: number) =>
      log.note(ingress, { ...punted(ingress, tcp(v6, TCP_FLAG.SYN)), registers: { ...registers, rule_key: key } });
    const noted = [note(7), note(7), note(7), note(7), note(8), note(99)];
    now = 1000;
    note(7);
    names.apply([], ['sg-g']);
    const afterwards = note(7);
    expect({ noted, afterwards, first: lines[0], suppressed: lines.map(({ suppressed }) => suppressed) }).toEqual({
      noted: [true, true, false, false, false, false],
      afterwards: false,
      first: {
        verdict: 'rejected',
        direction: 'ingress',
        rule: 'sgr-r',
        security_group: 'sg-g',
        interface: 'if-vm',
        protocol: 'tcp',
        src: 'fd00::1',
        dst: 'fd00::2',
        src_port: 4000,
        dst_port: 80,
        suppressed: 0,
      },
      suppressed: [0, 0, 2],
    });
  });
});
