/**
 * The interpreter against Open vSwitch's own `ofproto/trace`, on random tables and packets.
 */
import path from 'node:path';
import { compareWithSwitch } from '../oracle/compare.js';
import { OpenflowClient } from '../oracle/openflow-client.js';
import { PacketMaker, type PacketWorld } from '../oracle/packets.js';
import { Random } from '../oracle/random.js';
import { TableMaker } from '../oracle/random-tables.js';
import { Lab } from '../lab/lab.js';

const TABLE_SETS = 40;
const PACKETS = 50;
const SEED = 20240601;

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

describe('interpreter', () => {
  let lab: Lab;
  let dir: string;

  beforeAll(async () => {
    lab = await Lab.create();
    const ovs = await lab.addDummySwitch();
    dir = ovs.dir;
    await ovs.addBridge('br0');
    for (const { port } of WORLD.local) {
      await ovs.vsctl('add-port', 'br0', `p${port}`, '--', 'set', 'interface', `p${port}`, 'type=dummy', `ofport_request=${port}`);
    }
  }, 30_000);

  afterAll(() => lab.destroy());

  it(`agrees with ofproto/trace on ${TABLE_SETS * PACKETS} packets`, async () => {
    const client = await OpenflowClient.connect(path.join(dir, 'br0.mgmt'));
    const differences: unknown[] = [];
    const verdicts: Record<string, number> = {};
    for (let seed = SEED; seed < SEED + TABLE_SETS && differences.length === 0; seed++) {
      const random = new Random(seed);
      const tables = new TableMaker(WORLD, random).tables();
      await client.install(tables);
      const maker = new PacketMaker(WORLD, random);
      const comparison = await compareWithSwitch({
        tables,
        packets: random.times(PACKETS, () => maker.packet()),
        target: { unixctl: path.join(dir, 'ovs-vswitchd.ctl'), bridge: 'br0' },
      });
      differences.push(...comparison.differences.map((difference) => ({ seed, ...difference })));
      for (const [verdict, n] of Object.entries(comparison.verdicts)) verdicts[verdict] = (verdicts[verdict] ?? 0) + n;
    }
    client.close();
    expect(differences.slice(0, 1)).toEqual([]);
    console.log(verdicts);
  }, 120_000);
});
