/**
 * The common check of a lab with several hypervisors.
 *
 * Promises: passes only when a restarted Hotori finds nothing to change (what was built up step by step is what is compiled from scratch, and what the
 * switches hold), the interpreter agrees with the switches on sampled packets, and no log has an unexpected warning.
 */
import path from 'node:path';
import { compareWithSwitch, type Comparison } from '../oracle/compare.js';
import { OpenflowClient } from '../oracle/openflow-client.js';
import { PacketMaker, type Endpoint, type LocalEndpoint } from '../oracle/packets.js';
import { Random } from '../oracle/random.js';
import type { Hotori, Json } from '../lab/hotori.js';
import type { Hypervisor } from '../lab/hypervisor.js';
import type { Lab } from '../lab/lab.js';
import type { Vm } from '../lab/vm.js';

export interface FabricVm extends Endpoint {
  /** Of the lab, from 1. */
  readonly hypervisor: number;
  readonly vm: Vm;
}

export interface Fabric {
  readonly lab: Lab;
  /** A `hotori all` that runs every hypervisor. */
  readonly hotori: Hotori;
  readonly vms: readonly FabricVm[];
  readonly allowed?: readonly RegExp[];
  /** Packets to try on each hypervisor. */
  readonly samples?: number;
}

export async function checkFabric({ lab, hotori, vms, allowed = [], samples = 30 }: Fabric): Promise<void> {
  await hotori.untilInstalled();
  const flows = () => Promise.all(lab.hypervisors.map(({ ovs }) => ovs.flows()));
  const built = await flows();
  await hotori.kill9();
  await hotori.start();
  await hotori.untilInstalled();
  const { datapaths } = await hotori.get('/status');
  const mods = datapaths.map((datapath: Json) => datapath.flow_mods as number);
  expect({ mods, flows: await flows() }).toEqual({ mods: lab.hypervisors.map(() => 0), flows: built });
  for (const [i, hypervisor] of lab.hypervisors.entries())
    expect((await compareSampled(hypervisor, i + 1, vms, samples, built[i]!.length)).differences).toEqual([]);
  const warnings = await Promise.all(lab.hypervisors.map(({ ovs }) => ovs.unexpectedWarnings(allowed)));
  expect([...hotori.unexpectedWarnings(allowed), ...warnings.flat()]).toEqual([]);
}

/** Random packets of a hypervisor's VMs, through the interpreter over the flows read back from the switch, and through the switch's own trace. */
async function compareSampled(
  { ovs }: Hypervisor,
  number: number,
  vms: readonly FabricVm[],
  count: number,
  seed: number,
): Promise<Comparison> {
  const client = await OpenflowClient.connect(ovs.openflowSocket('br-int'));
  const tables = await client.dump().finally(() => client.close());
  const local: LocalEndpoint[] = [];
  for (const { hypervisor, vm, ...endpoint } of vms)
    if (hypervisor === number) local.push({ port: Number(await ovs.vsctl('get', 'Interface', vm.portName, 'ofport')), ...endpoint });
  const others = vms.filter(({ hypervisor }) => hypervisor !== number);
  const maker = new PacketMaker({ local, others, services: [7, 22, 53, 67, 80] }, new Random(seed));
  const packets = Array.from({ length: count }, () => maker.packet());
  return compareWithSwitch({ tables, packets, target: { unixctl: path.join(ovs.dir, 'ovs-vswitchd.ctl'), bridge: 'br-int' } });
}
