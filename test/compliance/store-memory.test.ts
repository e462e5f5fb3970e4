import { MemoryDisk, MemoryStore } from '../fakes/memory-store.js';
import { storeCompliance } from './store.js';

storeCompliance('memory', () => {
  const disk = new MemoryDisk();
  return Promise.resolve({
    open: async (logRevisions) => {
      await Promise.resolve();
      return new MemoryStore(disk, logRevisions);
    },
    destroy: () => Promise.resolve(),
  });
});
