/**
 * `hotori all`: the three roles in one process, on the embedded store or on Redis.
 */
import { systemClock, systemRandom } from '../controller/kernel/ambient.js';
import type { Metrics } from '../controller/kernel/metrics.js';
import { openEmbeddedStore } from '../controller/store/embedded.js';
import { Vnmgr } from '../controller/vnmgr.js';
import { measureBus, measureStore, measureVna, measureVnmgr, newMetrics, timeVna, timeVnmgr } from './metrics.js';
import { openRedis, openStore } from './redis.js';
import { forRole, type RoleContext } from './role.js';
import { startAgents } from './vna.js';
import { startSharedVnmgr } from './vnmgr.js';
import { startApi } from './webapi.js';

export async function startAll(context: RoleContext): Promise<void> {
  const { config, logger } = context;
  const metrics = newMetrics(context.version);
  const { vnmgr, missing } = config.redis === null ? await startEmbedded(context, metrics) : await startOnRedis(context, metrics);
  measureVna(metrics, startAgents(forRole(context, 'vna'), vnmgr, timeVna(metrics)));
  const web = await startApi(forRole(context, 'webapi'), vnmgr, metrics, missing);
  logger.info({ api: web.address, state_dir: config.state_dir, revision: vnmgr.revision().number }, 'hotori is up');
}

interface Started {
  readonly vnmgr: Vnmgr;
  readonly missing: () => readonly string[];
}

async function startEmbedded({ config, version, started }: RoleContext, metrics: Metrics): Promise<Started> {
  const store = await openEmbeddedStore({ dir: config.state_dir, random: systemRandom });
  started({ name: 'store', stop: () => store.close() });
  const options = { version, autoRegister: config.auto_register, tracing: { traceroute: config.traceroute } };
  const vnmgr = await Vnmgr.start({ store, clock: systemClock, random: systemRandom, options, onCompiled: timeVnmgr(metrics) });
  started({ name: 'vnmgr', stop: () => vnmgr.close() });
  measureStore(metrics, store);
  measureVnmgr(metrics, vnmgr);
  return { vnmgr, missing: () => [] };
}

async function startOnRedis(context: RoleContext, metrics: Metrics): Promise<Started> {
  const redis = openRedis(context, 'all');
  const store = await openStore(context, redis.connections);
  const { vnmgr, slices } = await startSharedVnmgr(forRole(context, 'vnmgr'), store, redis, metrics);
  measureBus(metrics, redis.bus);
  measureStore(metrics, store);
  measureVnmgr(metrics, vnmgr, slices);
  return { vnmgr, missing: () => (redis.bus.isConnected ? [] : ['no connection to Redis']) };
}
