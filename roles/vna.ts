/**
 * `hotori vna`: an agent for each local bridge.
 */
import path from 'node:path';
import { systemRandom } from '../controller/kernel/ambient.js';
import type { Config } from '../controller/kernel/config.js';
import { makeDirectory } from '../controller/kernel/make-directory.js';
import type { VnaConfig } from '../controller/kernel/settings.js';
import type { SliceSource } from '../controller/messages/slice.js';
import { SliceClient } from '../controller/services/slice-client.js';
import type { AgentTimes } from '../datapath/agent/agent-options.js';
import { Agent } from '../datapath/agent/agent.js';
import type { OverlayOptions } from '../datapath/agent/endpoints.js';
import { readInstance } from '../datapath/agent/instance.js';
import { SliceFile } from '../datapath/agent/slice-file.js';
import { Turns } from '../datapath/agent/turns.js';
import { startHealth } from './health.js';
import { measureBus, measureVna, newMetrics, timeVna } from './metrics.js';
import { openRedis } from './redis.js';
import { forRole, type RoleContext } from './role.js';

export async function startVnaRole(process: RoleContext): Promise<void> {
  const context = forRole(process, 'vna');
  const { config, logger, version, started } = context;
  makeDirectory(config.state_dir, 0o700);
  const instance = readInstance(config.state_dir, systemRandom);
  const { bus } = openRedis(context, 'vna');
  const source = new SliceClient({ bus, random: systemRandom, log: logger, instance, lossMs: config.vnmgr_timeout * 1000 });
  started({ name: 'slices', stop: () => source.close() });
  const metrics = newMetrics(version);
  const sliceFile = (vna: VnaConfig) => new SliceFile(path.join(config.state_dir, `slice-${fileName(vna)}`));
  const agents = startAgents(context, source, timeVna(metrics), sliceFile);
  measureBus(metrics, bus);
  measureVna(metrics, agents, source);
  const missing = () =>
    agents.flatMap((agent) => {
      const { openflow_connected, desired_revision } = agent.health();
      if (!openflow_connected) return [`${agent.bridge}: the switch is not connected`];
      return desired_revision === null ? [`${agent.bridge}: vnmgr has not been heard, and no slice is kept`] : [];
    });
  const health = await startHealth(context, config.vna_listen, metrics, missing);
  logger.info({ vna: bus.member, health, bridges: agents.map(({ bridge }) => bridge) }, 'hotori vna is up');
}

/** One agent for each bridge. They find their switches in their own time, and again when they lose them; stopping leaves all flows in place. */
export function startAgents(
  { config, logger, started }: RoleContext,
  sliceSource: SliceSource,
  times: (bridge: string) => AgentTimes,
  sliceFile?: (vna: VnaConfig) => SliceFile,
): readonly Agent[] {
  const { audit_period, trace_audit_rate, compile_check_period, default_mtu, traceroute, dhcp_lease_time, overlay } = config;
  const stopping = new AbortController();
  const turns = new Turns();
  const agents = config.vna.map(
    (vna) =>
      new Agent({
        ...vna,
        overlay: overlayOptions(vna, overlay.mode),
        sliceSource,
        ...(sliceFile === undefined ? {} : { sliceFile: sliceFile(vna) }),
        auditPeriodMs: audit_period * 1000,
        traceAuditRate: trace_audit_rate,
        compileCheckPeriodMs: compile_check_period * 1000,
        default_mtu,
        traceroute,
        dhcp_lease_time,
        times: times(vna.bridge),
        turns,
        log: logger.child({ bridge: vna.bridge }),
      }),
  );
  const running = agents.map((agent) => agent.run(stopping.signal));
  started({
    name: 'vna',
    stop: async () => {
      stopping.abort();
      await Promise.all(running);
    },
  });
  return agents;
}

function overlayOptions(vna: VnaConfig, mode: Config['overlay']['mode']): OverlayOptions {
  return {
    bridge_mappings: vna.bridge_mappings ?? {},
    addresses: vna['overlay.address'],
    encaps: vna['overlay.encap'],
    underlay: vna['overlay.underlay'],
    mtu: vna['overlay.underlay_mtu'],
    mac2mac: vna['overlay.mac2mac'],
    probePeriodMs: vna['overlay.probe_period'] * 1_000,
    mode,
  };
}

/** Of a bridge: node ids may have characters that file names may not. */
function fileName({ node_id, bridge }: VnaConfig): string {
  return `${encodeURIComponent(node_id).slice(0, 180)}-${bridge}`;
}
