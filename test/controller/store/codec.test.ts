import { StoreCodec } from '../../../controller/store/codec.js';
import type { StoredChange } from '../../../controller/store/contract.js';
import { segment } from '../../compliance/store-values.js';

const codec = new StoreCodec('the store');

function changeOf(revision: number, puts: number, rest: Partial<StoredChange> = {}): StoredChange {
  const entities = Array.from({ length: puts }, (_, i) => segment(`seg-${i}`, `segment ${i} as of ${revision}`));
  return { revision, puts: entities, deletes: [], counters: { segment_key: revision }, requests: [], ...rest };
}

describe('StoreCodec', () => {
  it.each([0, 1, 23, 24, 300, 70_000])('reads back a change of %i entities as it was', (puts) => {
    const change = changeOf(7, puts, { deletes: ['seg-x'], requests: [{ id: 'a', outcomes: ['seg-0', ['seg-x']] }] });
    const { log } = codec.encodeChanges([change]);
    expect(log.map((value) => codec.change(7, value))).toEqual([change]);
  });

  it('gives what each entity is stored as after the last of several changes', () => {
    const changes = [changeOf(1, 3), changeOf(2, 2, { deletes: ['seg-2'] })];
    const { entities } = codec.encodeChanges(changes);
    const read = [...entities].map(([uuid, value]) => [uuid, value && codec.entity(value, uuid)]);
    expect(read).toEqual([
      ['seg-0', changes[1]!.puts[0]],
      ['seg-1', changes[1]!.puts[1]],
      ['seg-2', undefined],
    ]);
  });
});
