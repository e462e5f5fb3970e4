import { MemoryBroker } from '../../controller/bus/memory-bus.js';
import { busCompliance } from './bus.js';

busCompliance('memory', () => {
  const broker = new MemoryBroker();
  return Promise.resolve({
    join: (member) => Promise.resolve(broker.join(member)),
    silence: (member) => broker.cut(member),
    sever: (member) => broker.cut(member),
    restore: (member) => broker.restore(member),
    restartTransport: undefined,
    destroy: () => Promise.resolve(),
  });
});
