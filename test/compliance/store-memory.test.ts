import { MemoryDisk, MemoryStore } from '../fakes/memory-store.js';
import { storeCompliance } from './store.js';

for (const writers of ['one', 'many'] as const)
  storeCompliance(`memory (${writers} writing)`, writers, () => {
    const disk = new MemoryDisk('memory', writers === 'many');
    return Promise.resolve({
      open: async (logRevisions) => {
        await Promise.resolve();
        return new MemoryStore(disk, logRevisions);
      },
      destroy: () => Promise.resolve(),
    });
  });
