import { parseIpv4 } from '../../../flows/net/ip.js';
import { parseMac } from '../../../flows/net/mac.js';
import { type Site } from '../../../flows/trace/fabric.js';
import { Interpreter } from '../../../flows/trace/interpreter.js';
import type { FieldRecord } from '../../../flows/trace/microflow.js';
import { chassis, here, iface, segment, underlayPort } from '../compile/slice-builder.js';

import { MAC, TUNNELS, addressOf, fabric, outcome, portOf, send, udp, type Fabric } from './three-sites.js';

describe('a segment with learning', () => {
  const STATION = 0x0a00_0000_9901;

  /** s1 is what strangers are behind; s2 and s3 are ordinary. */
  function learning(): Fabric {
    const world = fabric();
    for (const [i, compiler] of Object.values(world.compilers).entries()) {
      compiler.update([segment('s', 50, { vrf_key: 88, learning: true }), iface('s1', 5, { mode: 'promiscuous' })], []);
      (world.sites as Site[])[i] = { ...world.sites[i]!, interpreter: new Interpreter(compiler.tables) };
    }
    return world;
  }
  const frame = (from: string, eth_src: number, eth_dst: number, over: FieldRecord = {}): FieldRecord => ({
    ...udp(from, eth_dst, '10.9.9.1', '10.9.9.2'),
    eth_src,
    ...over,
  });
  const own = (name: string) => parseMac(MAC[name]!);

  it('unicast to a MAC that nobody is known to have goes to every port once, and elsewhere it goes nowhere', () => {
    expect([
      outcome(send(learning(), 's2', frame('s2', own('s2'), STATION))),
      outcome(send(fabric(), 's2', frame('s2', own('s2'), STATION))),
    ]).toEqual([
      { to: ['s1', 's3'], crossings: 2, lost: [], dropped: [] },
      { to: [], crossings: 0, lost: [], dropped: ['unknown_mac'] },
    ]);
  });

  it('a promiscuous port sends for any MAC but those of interfaces, others only for their own', () => {
    const sent = (from: string, eth_src: number) => {
      const { to, dropped } = outcome(send(learning(), from, frame(from, eth_src, own('s3'))));
      return to[0] ?? dropped[0];
    };
    expect([sent('s1', STATION), sent('s1', own('s1')), sent('s1', own('s2')), sent('s1', own('s3')), sent('s2', STATION)]).toEqual([
      's3',
      's3',
      'spoof',
      'spoof',
      'spoof',
    ]);
  });

  it('ARP that nobody answers is heard by all, so that they know where an address has moved to', () => {
    const gratuitous: FieldRecord = {
      in_port: portOf('s1'),
      eth_src: STATION,
      eth_dst: 0xffff_ffff_ffff,
      eth_type: 0x0806,
      arp_op: 1,
      arp_sha: STATION,
      arp_spa: parseIpv4('10.9.9.77'),
      arp_tha: 0,
      arp_tpa: parseIpv4('10.9.9.77'),
    };
    expect(outcome(send(learning(), 's1', gratuitous))).toMatchObject({ to: ['s2', 's3'], crossings: 2 });
  });

  it('nothing goes without a tunnel', () => {
    const world = learning();
    const all = ['1', '2', '3'].map((n) => {
      const plain = chassis(n, [addressOf(n)]);
      return { ...plain, endpoints: plain.endpoints.map((end) => ({ ...end, mac: `02:00:00:00:99:0${n}` })) };
    });
    const compiler = world.compilers['1']!;
    compiler.update([...all, here(all[0]!, { settled_peers: all.map(({ datapath_uuid }) => datapath_uuid) }), underlayPort(950)], []);
    const [near] = new Interpreter(compiler.tables).trace(frame('s1', own('s1'), own('s2')), { length: 100 }).outputs;
    expect(near!.port).toBe(TUNNELS.geneve);
  });
});
