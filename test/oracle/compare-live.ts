/**
 * The interpreter against a bridge as it is.
 *
 * Owns: reading the tables of a live bridge, making packets from what is known of its VMs, comparing.
 * Promises: nothing of the bridge is changed, no packet is sent.
 */
import path from 'node:path';
import { parseIp } from '../../flows/net/ip.js';
import { parseMac } from '../../flows/net/mac.js';
import type { Ovs } from '../lab/ovs.js';
import { compareWithSwitch, type Comparison } from './compare.js';
import { OpenflowClient } from './openflow-client.js';
import { PacketMaker, type Endpoint, type LocalEndpoint } from './packets.js';
import { parsePorts } from '../../flows/trace/switch/ports.js';
import { Random } from './random.js';
import { Unixctl } from '../../datapath/ovsdb/unixctl.js';

export interface LiveEndpoint {
  /** Name of its port in the bridge; absent for routers and hosts elsewhere, which do not send. */
  readonly port_name?: string | undefined;
  readonly mac: string;
  readonly addresses: readonly string[];
  /** MACs of the routers of its networks. */
  readonly gateways?: readonly string[] | undefined;
}

export interface CompareLiveOptions {
  readonly ovs: Ovs;
  readonly bridge: string;
  readonly endpoints: readonly LiveEndpoint[];
  /** Default 200. */
  readonly packets?: number | undefined;
  readonly seed?: number | undefined;
  readonly services?: readonly number[] | undefined;
}

export async function compareLive(options: CompareLiveOptions): Promise<Comparison> {
  const { ovs, bridge, endpoints, packets = 200, seed = 1, services = [22, 53, 80, 443, 8080, 33434] } = options;
  const unixctl = path.join(ovs.dir, 'ovs-vswitchd.ctl');
  const client = await OpenflowClient.connect(ovs.openflowSocket(bridge));
  const tables = await client.dump().finally(() => client.close());
  const numbers = await portsByName(unixctl, bridge);
  const local: LocalEndpoint[] = [];
  const others: Endpoint[] = [];
  for (const { port_name, mac, addresses, gateways } of endpoints) {
    const parsed = addresses.map(parseIp);
    const endpoint = {
      mac: parseMac(mac),
      ipv4: parsed.flatMap((ip) => (ip.family === 'ipv4' ? [ip.value] : [])),
      ipv6: parsed.flatMap((ip) => (ip.family === 'ipv6' ? [ip.value] : [])),
    };
    if (port_name === undefined) {
      others.push(endpoint);
      continue;
    }
    const port = numbers.get(port_name);
    if (port === undefined) throw new Error(`${bridge} has no port ${port_name}`);
    local.push({ port, gateways: gateways?.map(parseMac), ...endpoint });
  }
  const random = new Random(seed);
  const maker = new PacketMaker({ local, others, services }, random);
  return compareWithSwitch({ tables, packets: random.times(packets, () => maker.packet()), target: { unixctl, bridge } });
}

async function portsByName(socket: string, bridge: string): Promise<Map<string, number>> {
  const unixctl = await Unixctl.connect(socket);
  const shown = await unixctl.command('dpif/show').finally(() => unixctl.close());
  return new Map(parsePorts(shown, bridge).map(({ name, number }) => [name, number]));
}
