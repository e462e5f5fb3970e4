/**
 * What every store must do (controller/store/contract.ts).
 */
import fc from 'fast-check';
import type { Entity } from '../../flows/model/entities.js';
import type { Revision } from '../../controller/messages/slice.js';
import { StoreError, type Store, type StoredChange } from '../../controller/store/contract.js';
import { eventually } from '../lab/eventually.js';
import { change, segment } from './store-values.js';

export interface StoreHarness {
  /** Opens the one store of this harness, keeping that many revisions in its log. */
  open(logRevisions?: number): Promise<Store>;
  destroy(): Promise<void>;
}

/** The code of the StoreError a promise is rejected with. */
export async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof StoreError) return error.code;
    throw error;
  }
  return 'accepted';
}

const byUuid = (entities: readonly Entity[]) => [...entities].sort((a, b) => (a.uuid < b.uuid ? -1 : 1));

/** @param writers whether the store may be open several times. */
export function storeCompliance(name: string, writers: 'one' | 'many', makeHarness: () => Promise<StoreHarness>): void {
  describe(`${name} store`, () => {
    let harness: StoreHarness;
    let store: Store;
    let zero: Revision;

    beforeEach(async () => {
      harness = await makeHarness();
      store = await harness.open();
      zero = (await store.load()).revision;
    });

    afterEach(async () => {
      await store.close();
      await harness.destroy();
    });

    const at = (number: number): Revision => ({ incarnation: zero.incarnation, number });
    async function reopen(logRevisions?: number): Promise<void> {
      await store.close();
      store = await harness.open(logRevisions);
    }

    it('is empty at revision 0 when new', async () => {
      expect(await store.load()).toEqual({ revision: at(0), entities: [], counters: {} });
      expect(zero.incarnation).toMatch(/./);
    });

    it('holds entities, counters and revision when it is opened again', async () => {
      await store.commit([change(1, [segment('seg-a', 'a'), segment('seg-b', 'b')], [], { segment_key: 2 })], zero);
      await store.commit([change(2, [segment('seg-c', 'c')], ['seg-a'], { vrf_key: 7 })], at(1));
      const before = await store.load();
      await reopen();
      const after = await store.load();
      expect(byUuid(before.entities)).toEqual([segment('seg-b', 'b'), segment('seg-c', 'c')]);
      expect({ ...after, entities: byUuid(after.entities) }).toEqual({ ...before, entities: byUuid(before.entities) });
      expect(after).toMatchObject({ revision: at(2), counters: { segment_key: 2, vrf_key: 7 } });
    });

    it('has an epoch, another one for each process where one at a time may write', async () => {
      const before = store.epoch();
      await reopen();
      expect([before > 0, store.epoch() > before]).toEqual([true, writers === 'one']);
    });

    it('commits several changes in one step, the last one winning', async () => {
      await store.commit(
        [change(1, [segment('seg-a', '1')]), change(2, [segment('seg-a', '2')]), change(3, [segment('seg-b', '3')], ['seg-a'])],
        zero,
      );
      expect(await store.load()).toMatchObject({ revision: at(3), entities: [segment('seg-b', '3')] });
      expect((await store.changesSince(at(1))).map(({ revision }) => revision)).toEqual([2, 3]);
    });

    it('refuses a commit when it is elsewhere than expected, and writes nothing', async () => {
      await store.commit([change(1, [segment('seg-a', '1')])], zero);
      const late = [change(1, [segment('seg-a', 'late')], [], { vrf_key: 9 })];
      expect(await refusal(store.commit(late, zero))).toBe('conflict');
      expect(await refusal(store.commit([change(3, [])], at(2)))).toBe('conflict');
      expect(await refusal(store.commit([change(3, [])], at(1)))).toBe('conflict');
      expect(await refusal(store.commit([change(2, [])], { incarnation: 'another', number: 1 }))).toBe('conflict');
      expect(await store.load()).toMatchObject({ revision: at(1), entities: [segment('seg-a', '1')], counters: {} });
    });

    it('lets one of two racing commits win', async () => {
      const racers = ['a', 'b', 'c'].map((id) => refusal(store.commit([change(1, [segment(`seg-${id}`, id)])], zero)));
      expect((await Promise.all(racers)).sort()).toEqual(['accepted', 'conflict', 'conflict']);
      expect((await store.load()).entities).toHaveLength(1);
    });

    it('tells the changes after a revision', async () => {
      const changes = [1, 2, 3].map((n) => change(n, [segment('seg-a', String(n))], n === 2 ? ['seg-b'] : [], { segment_key: n }));
      for (const one of changes) await store.commit([one], at(one.revision - 1));
      await reopen();
      expect(await store.changesSince(at(1))).toEqual(changes.slice(1));
      expect(await store.changesSince(at(3))).toEqual([]);
    });

    it('answers `compacted` for what its log no longer has, the future, and another incarnation', async () => {
      await reopen(3);
      for (let n = 1; n <= 5; n++) await store.commit([change(n, [segment('seg-a', String(n))])], at(n - 1));
      expect(store.floor()).toBe(2);
      expect((await store.changesSince(at(2))).map(({ revision }) => revision)).toEqual([3, 4, 5]);
      expect(await refusal(store.changesSince(at(1)))).toBe('compacted');
      expect(await refusal(store.changesSince(at(6)))).toBe('compacted');
      expect(await refusal(store.changesSince({ incarnation: 'another', number: 3 }))).toBe('compacted');
      expect(await refusal(store.watch(at(1), () => {}, new AbortController().signal))).toBe('compacted');
    });

    it('keeps the requests that a change holds', async () => {
      const requests = [
        { id: 'one', outcomes: ['seg-a', ['seg-b', 'seg-c']] },
        { id: 'two', outcomes: [] },
      ];
      await store.commit([{ ...change(1, []), requests }], zero);
      await reopen();
      expect(await store.changesSince(zero)).toEqual([{ ...change(1, []), requests }]);
    });

    it('shows a watcher every change once, in order, past ones first, until it stops', async () => {
      await store.commit([change(1, []), change(2, [])], zero);
      const seen: number[] = [];
      const stop = new AbortController();
      const { ended } = await store.watch(at(1), ({ revision }) => seen.push(revision), stop.signal);
      await store.commit([change(3, []), change(4, [])], at(2));
      await store.commit([change(5, [])], at(4));
      await eventually('the watcher to have all', () => seen.length >= 4);
      stop.abort();
      expect(await ended).toBeUndefined();
      await store.commit([change(6, [])], at(5));
      expect(seen).toEqual([2, 3, 4, 5]);
    });

    it('says whether it still holds a revision', async () => {
      await store.commit([change(1, [])], zero);
      await store.settle(zero);
      await store.settle(at(1));
      expect(await refusal(store.settle(at(2)))).toBe('compacted');
      expect(await refusal(store.settle({ incarnation: 'another', number: 1 }))).toBe('compacted');
    });

    it('gives a lease to one at a time, and refuses what is committed under one that ended', async () => {
      const forEver = new AbortController().signal;
      const first = await store.lease('duty', forEver);
      await store.commit([change(1, [])], zero, first);
      const another = await store.lease('other', forEver);
      const second = store.lease('duty', forEver);
      const calledOff = new AbortController();
      const third = store.lease('duty', calledOff.signal);
      calledOff.abort(new Error('enough'));
      await expect(third).rejects.toThrow('enough');
      expect(first.lost.aborted).toBe(false);
      await first.release();
      expect(first.lost.aborted).toBe(true);
      const held = await second;
      expect(await refusal(store.commit([change(2, [segment('seg-a', 'stale')])], at(1), first))).toBe('fenced');
      await store.commit([change(2, [])], at(1), held);
      await store.commit([change(3, [])], at(2), another);
      expect(await store.load()).toMatchObject({ revision: at(3), entities: [] });
      await held.release();
      await another.release();
    });

    it('holds a lease for one holder until it passes, for as long as it is not kept', async () => {
      const take = (holder: string, ms = 60_000) => store.hold('gateway', holder, ms);
      const taken = [await take('a'), await take('b'), await take('a', 1)];
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect([...taken, await take('b'), await take('a'), await store.hold('another', 'a', 60_000)]).toEqual([
        true,
        false,
        true,
        true,
        false,
        true,
      ]);
    });

    if (writers === 'one')
      it('refuses a second writer', async () => {
        expect(await refusal(harness.open())).toBe('locked');
        await store.commit([change(1, [])], zero);
      });
    else {
      it('admits a second writer', async () => {
        const other = await harness.open();
        await other.commit([change(1, [segment('seg-a', 'other')])], zero);
        expect(await refusal(store.commit([change(1, [segment('seg-a', 'late')])], zero))).toBe('conflict');
        await store.commit([change(2, [segment('seg-b', 'ours')])], at(1));
        expect(await other.load()).toEqual(await store.load());
        await other.close();
      });

      it('gives racing writers dense revisions that all watchers see alike', async () => {
        const others = await Promise.all([harness.open(), harness.open(), harness.open()]);
        const stores = [store, ...others];
        await fc.assert(
          fc.asyncProperty(fc.array(fc.array(fc.nat(4), { minLength: 1, maxLength: 6 }), { minLength: 2, maxLength: 4 }), async (plans) => {
            const before = await store.load();
            const stop = new AbortController();
            const seen = stores.map((): StoredChange[] => []);
            const watches = await Promise.all(
              stores.map((one, i) => one.watch(before.revision, (done) => seen[i]!.push(done), stop.signal)),
            );
            const done = await Promise.all(plans.map((plan, i) => write(stores[i]!, `w${i}`, plan)));
            const last = await store.load();
            const total = plans.flat().length;
            expect(last.revision).toEqual({ ...before.revision, number: before.revision.number + total });
            await eventually('all to have seen all', () => seen.every((one) => one.length >= total));
            stop.abort();
            expect(await Promise.all(watches.map(({ ended }) => ended))).toEqual(stores.map(() => undefined));
            const history = await store.changesSince(before.revision);
            expect(seen).toEqual(stores.map(() => history));
            expect(history.map(({ revision }) => revision)).toEqual(
              Array.from({ length: total }, (_, i) => before.revision.number + 1 + i),
            );
            expect(done.flat().sort((a, b) => a.revision - b.revision)).toEqual(history);
            expect(byUuid(last.entities)).toEqual(byUuid(replay(before.entities, history)));
          }),
          { numRuns: 20 },
        );
        for (const other of others) await other.close();
      }, 30_000);
    }
  });
}

/** Commits one change after another, following up when somebody was faster. @returns what was acknowledged. */
async function write(store: Store, name: string, plan: readonly number[]): Promise<readonly StoredChange[]> {
  const acknowledged: StoredChange[] = [];
  let { revision } = await store.load();
  for (const uuid of plan) {
    for (;;) {
      const number = revision.number + 1;
      const one = change(number, [segment(`seg-${uuid}`, `${name}-${number}`)], [`seg-${(uuid + 1) % 5}`], { vrf_key: number });
      const answer = await refusal(store.commit([one], revision));
      if (answer === 'accepted') {
        acknowledged.push(one);
        revision = { ...revision, number };
        break;
      }
      expect(answer).toBe('conflict');
      const missed = await store.changesSince(revision);
      revision = { ...revision, number: missed.at(-1)?.revision ?? revision.number };
    }
  }
  return acknowledged;
}

function replay(entities: readonly Entity[], changes: readonly StoredChange[]): readonly Entity[] {
  const result = new Map(entities.map((entity) => [entity.uuid, entity]));
  for (const { puts, deletes } of changes) {
    for (const uuid of deletes) result.delete(uuid);
    for (const entity of puts) result.set(entity.uuid, entity);
  }
  return [...result.values()];
}
