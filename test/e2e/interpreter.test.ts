/**
 * The interpreter against Open vSwitch's own `ofproto/trace`: on random tables, on corner cases, on what the compiler makes.
 */
import path from 'node:path';
import fc from 'fast-check';
import { createCompiler } from '../../flows/compile/compiler.js';
import type { CompileRecord, Tables } from '../../flows/compile/contract.js';
import type { Action } from '../../flows/openflow/action.js';
import { flowKey } from '../../flows/openflow/canonical.js';
import type { Flow } from '../../flows/openflow/flow.js';
import { NOMINAL } from '../../flows/pipeline/registers.js';
import { TABLES, USER_TABLES } from '../../flows/pipeline/tables.js';
import { checkTables } from '../../flows/trace/checkers.js';
import type { FieldRecord } from '../../flows/trace/microflow.js';
import { change } from '../flows/compile/random-slice.js';
import { virtualNetwork } from '../oracle/virtual-network.js';
import { flow, out, resubmit, set, SYN } from '../flows/trace/tables.js';
import { Lab } from '../lab/lab.js';
import type { Ovs } from '../lab/ovs.js';
import { compareWithSwitch, type Comparison } from '../oracle/compare.js';
import type { TracedPacket } from '../../flows/trace/switch/agreement.js';
import { compareLive, type LiveEndpoint } from '../oracle/compare-live.js';
import { OpenflowClient } from '../oracle/openflow-client.js';
import { PacketMaker, type PacketWorld } from '../oracle/packets.js';
import { Random } from '../oracle/random.js';
import { TableMaker } from '../oracle/random-tables.js';
import { worldOf } from '../oracle/world-of.js';

const PORTS = [1, 2, 3, 4, 5, 6];

const WORLD: PacketWorld = {
  local: [1, 2, 3, 4].map((port) => ({
    port,
    mac: 0x0a00_0000_0000 + port,
    ipv4: [0x0a00_0000 + port],
    ipv6: [(0xfd00n << 112n) + BigInt(port)],
  })),
  others: [{ mac: 0x0a00_0000_00fe, ipv4: [0x0a00_01fe], ipv6: [(0xfd00_0001n << 96n) + 0xfen] }],
  services: [22, 80, 443, 53],
};

/** More with `npm run test:trace`. */
const TOPOLOGIES = Number(process.env['TRACE_TOPOLOGIES'] ?? 10);
const PACKETS = 40;

/** A small network with something of everything, and what many random changes make of it. */
function randomTopology(seed: number): { readonly tables: Tables; readonly records: readonly CompileRecord[] } {
  const compiler = createCompiler();
  compiler.update(virtualNetwork(), []);
  const [changes] = fc.sample(fc.array(change, { minLength: 3, maxLength: 20 }), { seed, numRuns: 1 });
  for (const one of changes!) {
    if ('put' in one && !NOT_ON_THIS_SWITCH.has(one.put.kind)) compiler.update([one.put], []);
    const present = [...compiler.records()];
    if ('deleteAt' in one && present.length > 0) compiler.update([], [present[one.deleteAt % present.length]!.uuid]);
  }
  return { tables: compiler.tables, records: [...compiler.records()] };
}

/** Ports of tunnels name options that a switch has to be told of first. */
const NOT_ON_THIS_SWITCH: ReadonlySet<string> = new Set(['tunnel_port', 'underlay_port', 'physical_port']);

describe('interpreter', () => {
  let lab: Lab;
  let ovs: Ovs;
  let client: OpenflowClient;

  beforeAll(async () => {
    lab = await Lab.create();
    ovs = await lab.addDummySwitch();
    await ovs.addBridge('br0');
    const add = (port: number) => [
      '--',
      'add-port',
      'br0',
      `p${port}`,
      '--',
      'set',
      'interface',
      `p${port}`,
      'type=dummy',
      `ofport_request=${port}`,
    ];
    await ovs.vsctl(...PORTS.flatMap(add).slice(1));
    client = await OpenflowClient.connect(ovs.openflowSocket('br0'));
  }, 30_000);

  afterAll(async () => {
    client.close();
    await lab.destroy();
  });

  async function compare(tables: Tables, packets: readonly TracedPacket[]): Promise<Comparison> {
    await client.install(tables);
    return compareWithSwitch({ tables, packets, target: { unixctl: path.join(ovs.dir, 'ovs-vswitchd.ctl'), bridge: 'br0' } });
  }

  it('agrees with ofproto/trace on 2,000 packets through 40 random sets of tables', async () => {
    const differences: unknown[] = [];
    const verdicts: Record<string, number> = {};
    for (let seed = 1; seed <= 40; seed++) {
      const random = new Random(seed);
      const tables = new TableMaker(WORLD, random).tables();
      const maker = new PacketMaker(WORLD, random);
      const comparison = await compare(
        tables,
        random.times(50, () => maker.packet()),
      );
      differences.push(...comparison.differences.map((difference) => ({ seed, ...difference })));
      for (const [verdict, n] of Object.entries(comparison.verdicts)) verdicts[verdict] = (verdicts[verdict] ?? 0) + n;
    }
    expect(differences.slice(0, 1)).toEqual([]);
    // Random tables in which everything is dropped would prove nothing.
    for (const verdict of ['delivered', 'answered', 'punted', 'dropped']) expect(verdicts[verdict]).toBeGreaterThan(50);
  }, 120_000);

  it.each<[string, Flow]>([
    ['tables of pass 0', flow(0, 8, { in_port: 1 }, out(2))],
    ['packet after pass 0', flow(0, 9, { in_port: 1 }, set('reg0', 1), out(2))],
    ['outputs of pass 0', flow(0, 9, { in_port: 1 }, out(3))],
  ])('is told apart from a switch that differs: %s', async (what, other) => {
    const tablesOf = (each: Flow): Tables => ({ flows: new Map([[flowKey(each), each]]), groups: new Map(), meters: new Map() });
    await client.install(tablesOf(flow(0, 9, { in_port: 1 }, out(2))));
    const target = { unixctl: path.join(ovs.dir, 'ovs-vswitchd.ctl'), bridge: 'br0' };
    const { differences } = await compareWithSwitch({ tables: tablesOf(other), packets: [{ fields: SYN }], target });
    expect(differences.map((difference) => difference.what)).toEqual([what]);
  });

  const fan = (table: number, n: number) => flow(table, 1, {}, ...Array.from({ length: n }, () => resubmit(table + 1)));
  const clause = (id: number, n: number): Action => ({ kind: 'conjunction', id, clause: n, n_clauses: 2 });
  const check: Action = { kind: 'check_pkt_larger', length: 1500, dst: { field: 'reg0', offset: 0, bits: 1 } };
  const nat: Action = { kind: 'nat', direction: 'dst', ipv4_min: 0xc000_0201, ipv4_max: 0xc000_0209, port_min: 8080 };
  const IP = { eth_type: 0x0800 } as const;

  it.each<[string, readonly Flow[], FieldRecord]>([
    ['64 levels of resubmit', [flow(0, 1, {}, out(2), resubmit(0))], SYN],
    ['4096 lookups', [fan(0, 16), fan(1, 16), fan(2, 14), flow(3, 1, {}, out(2))], SYN],
    ['fewer than 4096 lookups', [fan(0, 16), fan(1, 16), fan(2, 13), flow(3, 1, {}, set('reg0', 1))], SYN],
    [
      'a conjunction whose own flow is missing',
      [flow(0, 9, { in_port: 1 }, clause(7, 0)), flow(0, 9, IP, clause(7, 1)), flow(0, 3, {}, out(2))],
      SYN,
    ],
    [
      'an ordinary flow beside a conjunction',
      [
        flow(0, 9, { in_port: 1 }, clause(7, 0)),
        flow(0, 9, IP, clause(7, 1)),
        flow(0, 9, { conj_id: 7 }, out(2)),
        flow(0, 9, { ...IP, nw_proto: 6 }, out(3)),
      ],
      SYN,
    ],
    [
      'the length of the packet',
      [
        flow(0, 1, {}, resubmit(1), resubmit(2)),
        flow(1, 1, {}, check, resubmit(2)),
        flow(2, 2, { reg0: 1 }, out(2)),
        flow(2, 1, { reg0: 0 }, out(3)),
      ],
      SYN,
    ],
    [
      'NAT with ports',
      [
        flow(0, 1, IP, { kind: 'ct', commit: true, zone: 1, table: 1, exec: [nat] }),
        flow(1, 1, { ...IP, nw_proto: 6, tcp_dst: 8080 }, out(2)),
      ],
      SYN,
    ],
    ['a TTL that runs out', [flow(0, 1, IP, out(2), { kind: 'dec_ttl' }, out(3), 4), flow(4, 1, {}, out(4))], { ...SYN, nw_ttl: 1 }],
    [
      'a fragment',
      [flow(0, 2, { ...IP, nw_proto: 6, tcp_dst: 80 }, out(2)), flow(0, 1, { ...IP, nw_proto: 6, tcp_dst: 0 }, set('tcp_dst', 5), out(3))],
      { ...SYN, ip_frag: 1 },
    ],
    ['actset_output', [flow(0, 1, {}, { kind: 'write_actions', actions: [out(2)] }, 1), flow(1, 1, { actset_output: 2 }, out(3))], SYN],
    [
      'exit inside a resubmit',
      [flow(0, 1, {}, resubmit(1), out(3), 2), flow(1, 1, {}, out(2), { kind: 'exit' }), flow(2, 1, {}, out(4))],
      SYN,
    ],
    ['exit inside a clone', [flow(0, 1, {}, { kind: 'clone', actions: [out(2), { kind: 'exit' }] }, out(3))], SYN],
  ])('agrees with ofproto/trace about %s', async (_, flows, fields) => {
    const tables = { flows: new Map(flows.map((each) => [flowKey(each), each])), groups: new Map(), meters: new Map() };
    const comparison = await compare(tables, [{ fields }]);
    expect(comparison.differences).toEqual([]);
  });

  it('agrees with ofproto/trace on 1,000 packets through compiled tables, in which nothing is amiss', async () => {
    const compiler = createCompiler();
    const records = virtualNetwork();
    compiler.update(records, []);
    const { tables } = compiler;
    const random = new Random(7);
    const maker = new PacketMaker(worldOf(records), random);
    const { differences, verdicts, flows_hit } = await compare(
      tables,
      random.times(1000, () => maker.packet()),
    );
    expect(differences.slice(0, 1)).toEqual([]);
    for (const verdict of ['delivered', 'answered', 'punted', 'dropped']) expect(verdicts[verdict]).toBeGreaterThan(10);
    expect(flows_hit / tables.flows.size).toBeGreaterThan(0.4);
    expect(checkTables(tables, { dropTables: [TABLES.DROP.id, TABLES.CANARY.id], userTables: USER_TABLES, nominal: NOMINAL })).toEqual([]);
  }, 60_000);

  it(`agrees with ofproto/trace on ${TOPOLOGIES * PACKETS} packets through ${TOPOLOGIES} random topologies`, async () => {
    const differences: unknown[] = [];
    const verdicts: Record<string, number> = {};
    let flows = 0;
    for (let seed = 1; seed <= TOPOLOGIES; seed++) {
      const { tables, records } = randomTopology(seed);
      flows += tables.flows.size;
      const random = new Random(seed);
      const maker = new PacketMaker(worldOf(records), random);
      const comparison = await compare(
        tables,
        random.times(PACKETS, () => maker.packet()),
      );
      differences.push(...comparison.differences.map((difference) => ({ seed, ...difference })));
      for (const [verdict, n] of Object.entries(comparison.verdicts)) verdicts[verdict] = (verdicts[verdict] ?? 0) + n;
    }
    console.log(
      `${TOPOLOGIES} topologies with ${flows} flows, ${TOPOLOGIES * PACKETS} packets, ${differences.length} differences: ${JSON.stringify(verdicts)}`,
    );
    expect(differences.slice(0, 1)).toEqual([]);
    for (const verdict of ['delivered', 'punted', 'dropped']) expect(verdicts[verdict]).toBeGreaterThan(TOPOLOGIES / 4);
  }, 120_000);

  it('agrees with ofproto/trace on tables read back from a bridge', async () => {
    const compiler = createCompiler();
    compiler.update(virtualNetwork(), []);
    await client.install(compiler.tables);
    const endpoints: LiveEndpoint[] = [
      { port_name: 'p1', mac: '0a:00:00:00:00:01', addresses: ['10.0.1.11', 'fd00:1::11'], gateways: ['02:00:00:00:01:01'] },
      { port_name: 'p3', mac: '0a:00:00:00:00:03', addresses: ['10.0.2.13', 'fd00:2::13'], gateways: ['02:00:00:00:02:01'] },
      { mac: '02:00:00:00:01:01', addresses: ['10.0.1.1', 'fd00:1::1'] },
      { mac: '02:00:00:00:02:01', addresses: ['10.0.2.1', 'fd00:2::1'] },
    ];
    const { packets, differences, flows_hit } = await compareLive({ ovs, bridge: 'br0', endpoints });
    expect({ packets, differences: differences.slice(0, 1) }).toEqual({ packets: 200, differences: [] });
    expect(flows_hit).toBeGreaterThan(50);
  });
});
