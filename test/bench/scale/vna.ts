/** A vna process that drives many bridges, with vnmgr behind Redis. */
import { systemRandom } from '../../../controller/kernel/ambient.js';
import { SliceClient } from '../../../controller/services/slice-client.js';
import { Agent } from '../../../datapath/agent/agent.js';
import { Turns } from '../../../datapath/agent/turns.js';
import { partOfThisProcess, sayReady } from './child.js';
import { consoleLog } from './console-log.js';
import { joinBus } from './join-bus.js';
import { addressOf, AUDIT_MS, BRIDGE, hostDir, nodeOf } from './plan.js';

const { plan, from, to } = partOfThisProcess();
const { bus } = joinBus(plan.redis, `vna-${from}`);
const sliceSource = new SliceClient({ bus, random: systemRandom, log: consoleLog, instance: `bench-${from}` });
const turns = new Turns();
for (let d = from; d < to; d++) {
  const agent = new Agent({
    sliceSource,
    node_id: nodeOf(d),
    bridge: BRIDGE,
    datapath_type: 'system',
    ovsdb: `unix:${hostDir(plan, d)}/db.sock`,
    openflow: null,
    overlay: {
      bridge_mappings: {},
      addresses: [addressOf(d)],
      encaps: ['geneve'],
      mac2mac: false,
      underlay: 'underlay',
      mtu: 1500,
      mode: 'auto',
      probePeriodMs: 0,
    },
    auditPeriodMs: AUDIT_MS,
    default_mtu: 1442,
    dhcp_lease_time: 86_400,
    turns,
    log: consoleLog,
  });
  void agent.run(new AbortController().signal);
}
sayReady();
