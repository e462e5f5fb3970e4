/** A process of simulated hypervisors: for each, OVSDB with its NICs plugged, and a switch that takes every flow. */
import { mkdir } from 'node:fs/promises';
import { deriveDatapathId } from '../../../datapath/ovsdb/bridge-plan.js';
import { WriterPool } from '../../../datapath/channel/writer-pool.js';
import { FakeOvsdb } from '../../fakes/fake-ovsdb.js';
import { FakeSwitch } from '../../fakes/fake-switch.js';
import { partOfThisProcess, sayReady } from './child.js';
import { BRIDGE, hostDir, nicsOf, nodeOf } from './plan.js';

const { plan, from, to } = partOfThisProcess();
const writers = new WriterPool();
for (let d = from; d < to; d++) {
  const dir = hostDir(plan, d);
  await mkdir(dir);
  const datapathId = deriveDatapathId(nodeOf(d), BRIDGE);
  const ovsdb = new FakeOvsdb({ bridge: BRIDGE, datapathId, nics: nicsOf(plan, d) });
  await ovsdb.listen(`${dir}/db.sock`);
  const fake = new FakeSwitch({ datapathId: BigInt(`0x${datapathId}`), ports: ovsdb.ports, writers });
  await fake.listen({ path: `${dir}/${BRIDGE}.mgmt` });
}
sayReady();
