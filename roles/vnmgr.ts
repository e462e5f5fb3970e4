/**
 * `hotori vnmgr`: one of any number, on a store in Redis.
 */
import { BusAppliedBoard } from '../controller/applied/bus-board.js';
import { systemClock, systemRandom } from '../controller/kernel/ambient.js';
import type { Metrics } from '../controller/kernel/metrics.js';
import { serveControl } from '../controller/services/control-server.js';
import { SliceServer } from '../controller/services/slice-server.js';
import type { Store } from '../controller/store/contract.js';
import { Vnmgr } from '../controller/vnmgr.js';
import { startHealth } from './health.js';
import { measureBus, measureStore, measureVnmgr, newMetrics, timeVnmgr } from './metrics.js';
import { openRedis, openStore, type RedisParts } from './redis.js';
import { forRole, type RoleContext } from './role.js';

export async function startVnmgrRole(process: RoleContext): Promise<void> {
  const context = forRole(process, 'vnmgr');
  const redis = openRedis(context, 'vnmgr');
  const store = await openStore(context, redis.connections);
  const metrics = newMetrics(context.version);
  const { vnmgr, slices } = await startSharedVnmgr(context, store, redis, metrics);
  measureBus(metrics, redis.bus);
  measureStore(metrics, store);
  measureVnmgr(metrics, vnmgr, slices);
  const missing = () => (redis.bus.isConnected ? [] : ['no connection to Redis']);
  const health = await startHealth(context, context.config.vnmgr_listen, metrics, missing);
  context.logger.info({ vnmgr: vnmgr.name, health, revision: vnmgr.revision().number }, 'hotori vnmgr is up');
}

/** A vnmgr that others reach over the bus. */
export async function startSharedVnmgr(
  { config, logger, version, started }: RoleContext,
  store: Store,
  { bus }: RedisParts,
  metrics: Metrics,
): Promise<{ readonly vnmgr: Vnmgr; readonly slices: SliceServer }> {
  const board = new BusAppliedBoard(bus);
  started({ name: 'board', stop: () => board.close() });
  const vnmgr = await Vnmgr.start({
    store,
    clock: systemClock,
    random: systemRandom,
    options: { version, autoRegister: config.auto_register, name: bus.member, tracing: { traceroute: config.traceroute } },
    board,
    onCompiled: timeVnmgr(metrics),
    log: (message, error) => logger.warn({ err: error }, message),
  });
  started({ name: 'vnmgr', stop: () => vnmgr.close() });
  const slices = new SliceServer({ bus, source: vnmgr, log: logger });
  started({ name: 'slices', stop: () => slices.close() });
  const serving = new AbortController();
  serveControl(bus, vnmgr, logger, serving.signal);
  // Last in, first out: nothing is accepted any more when the rest stops.
  started({
    name: 'control',
    stop: () => {
      serving.abort();
      return Promise.resolve();
    },
  });
  return { vnmgr, slices };
}
