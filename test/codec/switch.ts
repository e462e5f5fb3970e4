/**
 * A switch for the codec's tests: Open vSwitch with dummy ports 1 to 4 on one bridge.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { Ovs } from '../lab/ovs.js';
import { BridgeClient } from './bridge-client.js';

export const BRIDGE = 'br0';

export interface TestSwitch {
  readonly ovs: Ovs;
  readonly bridge: BridgeClient;
  stop(): Promise<void>;
}

export async function startSwitch(): Promise<TestSwitch> {
  const dir = await mkdtemp('/tmp/codec-');
  const ovs = new Ovs({ dir, dummy: true });
  await ovs.start();
  await ovs.addBridge(BRIDGE);
  for (const n of [1, 2, 3, 4]) {
    await ovs.vsctl('add-port', BRIDGE, `p${n}`, '--', 'set', 'interface', `p${n}`, 'type=dummy', `ofport_request=${n}`);
  }
  const bridge = await BridgeClient.connect(ovs.openflowSocket(BRIDGE));
  return {
    ovs,
    bridge,
    stop: async () => {
      bridge.close();
      await ovs.stop();
      await rm(dir, { recursive: true });
    },
  };
}
