import { connectChannel } from '../../datapath/channel/connect.js';
import { flowToString, parseFlow } from '../../flows/openflow/text-flow.js';

/** Installs two flows in the bridge at `target` (`unix:/var/run/openvswitch/br0.mgmt`, `tcp:192.0.2.1:6653`) and says what it then holds. */
export async function example(target: string, print: (line: string) => void): Promise<void> {
  const channel = await connectChannel(target);
  const cookie = 0x2a00_0000_0000_0001n;
  await channel.bundle([
    // A flow is a value …
    {
      kind: 'flow_add',
      flow: { table: 0, priority: 100, match: [{ field: 'in_port', value: 1 }], instructions: [{ kind: 'goto_table', table: 1 }], cookie },
    },
    // … and can be read from the text that ovs-ofctl takes.
    { kind: 'flow_add', flow: parseFlow(`cookie=${cookie},table=1,tcp,nw_dst=10.0.0.0/8,tp_dst=80 actions=dec_ttl,output:2`) },
  ]);
  const mine = { cookie, cookie_mask: 0xffff_ffff_ffff_ffffn };
  print(`${await channel.countFlows(mine)} flows`);
  await channel.dumpFlows(mine, (flows) => flows.forEach((flow) => print(flowToString(flow))));
  channel.close();
}
