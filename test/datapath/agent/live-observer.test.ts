import fc from 'fast-check';
import { LiveObserver } from '../../../datapath/agent/live-observer.js';
import type { PacketIn } from '../../../datapath/channel/contract.js';
import { PolicyNames } from '../../../datapath/respond/policy-names.js';
import { createCompiler } from '../../../flows/compile/compiler.js';
import { concatBytes } from '../../../flows/packet/bytes.js';
import { encodeIpFrame } from '../../../flows/packet/ip-frame.js';
import { IP_PROTOCOL } from '../../../flows/packet/numbers.js';
import { encodeUdp } from '../../../flows/packet/udp.js';
import { LIVE_POINTS, type LivePoint } from '../../../flows/pipeline/punt.js';
import { REGISTERS } from '../../../flows/pipeline/registers.js';
import { DROP_REASONS } from '../../../flows/pipeline/tables.js';
import { iface, ipLease, liveTrace, localPort, macLease, network } from '../../flows/compile/slice-builder.js';
import { bytes, ipEnds, mac, uint16, uint32 } from '../../flows/packet/frames.js';

function setUp() {
  const compiler = createCompiler();
  const records = [network('a', 1), iface('vm', 5), macLease('vm', '0a:00:00:00:00:05'), ipLease('vm', 'a', '10.0.1.5')];
  compiler.update([...records, localPort('vm', 3), liveTrace(1, 'if-vm')], []);
  const names = new PolicyNames();
  names.apply(records, []);
  return new LiveObserver(() => compiler, names);
}

const packetIn = (data: Uint8Array, registers: Record<string, number> = {}): PacketIn => ({
  data: data.subarray(0, 192),
  full_length: data.length,
  table: 0,
  cookie: 0n,
  reason: 1,
  metadata: Object.entries(registers).map(([field, value]) => ({ field: field as 'reg1', value })),
  userdata: new Uint8Array(),
});

const udpFrame = fc
  .record({ eth_src: mac, eth_dst: mac, ip: ipEnds, ttl: fc.integer({ min: 2, max: 255 }), src: uint16, dst: uint16, payload: bytes(300) })
  .map(({ src, dst, payload, ...envelope }) => ({ envelope, src, dst, payload }));
type UdpParts = typeof udpFrame extends fc.Arbitrary<infer T> ? T : never;
const frameOf = ({ envelope, src, dst, payload }: UdpParts) =>
  encodeIpFrame(envelope, IP_PROTOCOL.UDP, encodeUdp({ src_port: src, dst_port: dst, payload }, envelope.ip));

describe('an observer of live traces', () => {
  it('reads any bytes, with any registers', () => {
    const observer = setUp();
    const points = Object.keys(LIVE_POINTS) as LivePoint[];
    const fields = fc.constantFrom('reg0', 'reg1', 'reg2', 'reg5', 'reg8', 'reg9', 'reg13', 'reg15', 'ct_state', 'in_port');
    fc.assert(
      fc.property(
        fc.constantFrom(...points),
        fc.oneof(bytes(200), udpFrame.map(frameOf)),
        fc.dictionary(fields, uint32),
        fc.nat(70_000),
        (point, data, registers, full_length) => {
          const seen = observer.observe({ kind: 'live', session: 1, point }, { ...packetIn(data, registers), full_length }, 0);
          expect(typeof (seen?.packet.line ?? '')).toBe('string');
        },
      ),
      { numRuns: 300 },
    );
  });

  it('knows a packet again whatever routers and translations have done to it, and tells it from others', () => {
    const observer = setUp();
    const identity = (parts: UdpParts) =>
      observer.observe({ kind: 'live', session: 1, point: 'entry' }, packetIn(frameOf(parts)), 0)!.identity;
    fc.assert(
      fc.property(udpFrame, udpFrame, fc.uint8Array({ minLength: 1, maxLength: 20 }), (packet, other, more) => {
        const family = packet.envelope.ip.family;
        const rewritten = {
          ...packet,
          src: other.src,
          dst: other.dst,
          envelope: { ...other.envelope, ip: other.envelope.ip.family === family ? other.envelope.ip : packet.envelope.ip },
        };
        const longer = { ...packet, payload: concatBytes([more, packet.payload]) };
        expect([identity(rewritten) === identity(packet), identity(longer) === identity(packet)]).toEqual([true, false]);
      }),
    );
  });

  it('names the row that has dropped a packet, by looking it up as it was then', () => {
    const observer = setUp();
    const ip = { family: 'ipv4', src: 0x0a000163, dst: 0x0a000107 } as const;
    const spoofed = encodeIpFrame(
      { eth_src: 0x0a00_0000_0005, eth_dst: 1, ip },
      IP_PROTOCOL.UDP,
      encodeUdp({ src_port: 1, dst_port: 2, payload: new Uint8Array() }, ip),
    );
    const registers = { reg1: 5, reg15: DROP_REASONS.spoof.code + 2 ** REGISTERS.live_session.offset, in_port: 3 };
    const { point, reason, table, rule } = observer.observe(
      { kind: 'live', session: 1, point: 'dropped' },
      packetIn(spoofed, registers),
      0,
    )!;
    expect([point, reason, table, rule]).toEqual(['dropped', 'spoof', 'PORT_SEC', 'pipeline']);
  });
});
