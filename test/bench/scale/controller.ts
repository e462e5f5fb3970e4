/** vnmgr with its store and bus on Redis, and the REST API in front of it. */
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { systemClock, systemRandom } from '../../../controller/kernel/ambient.js';
import { SliceServer } from '../../../controller/services/slice-server.js';
import { openRedisStore } from '../../../controller/store/redis.js';
import { Vnmgr } from '../../../controller/vnmgr.js';
import { startWebServer } from '../../../webapi/rest/server.js';
import { partOfThisProcess, sayReady } from './child.js';
import { consoleLog } from './console-log.js';
import { joinBus } from './join-bus.js';

const { plan } = partOfThisProcess();
const { connections, bus } = joinBus(plan.redis, 'vnmgr');
const store = await openRedisStore({ connections, random: systemRandom, durability: 'local' });
const vnmgr = await Vnmgr.start({ store, clock: systemClock, random: systemRandom, options: { version: 'bench', autoRegister: true } });
new SliceServer({ bus, source: vnmgr, log: consoleLog });
const web = await startWebServer({
  controller: vnmgr,
  logger: pino({ level: 'warn' }),
  newRequestId: randomUUID,
  listen: { host: '127.0.0.1', port: 0 },
});
sayReady(`${web.address.host}:${web.address.port}`);
