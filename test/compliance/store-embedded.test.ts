import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Encoder } from 'cbor-x';
import { open } from 'lmdb';
import { systemRandom } from '../../controller/kernel/ambient.js';
import { openEmbeddedStore } from '../../controller/store/embedded.js';
import { STORE_SCHEMA } from '../../controller/store/migrations.js';
import { change, segment } from './store-values.js';
import { refusal, storeCompliance } from './store.js';

const newDir = () => mkdtemp(join(tmpdir(), 'hotori-store-'));

storeCompliance('embedded', 'one', async () => {
  const dir = await newDir();
  return {
    open: (logRevisions) => openEmbeddedStore({ dir, random: systemRandom, ...(logRevisions === undefined ? {} : { logRevisions }) }),
    destroy: () => rm(dir, { recursive: true }),
  };
});

describe('embedded store', () => {
  let dir: string;
  beforeEach(async () => (dir = await newDir()));
  afterEach(() => rm(dir, { recursive: true }));
  const openStore = () => openEmbeddedStore({ dir, random: systemRandom });

  async function fill(): Promise<void> {
    const store = await openStore();
    const { revision } = await store.load();
    await store.commit(
      [
        change(
          1,
          Array.from({ length: 50 }, (_, n) => segment(`seg-${n}`, 'x')),
        ),
      ],
      revision,
    );
    await store.close();
  }

  /** Changes what is on disk behind the store's back. */
  async function tamper(key: string | readonly string[], alter: (value: Record<string, unknown>) => unknown): Promise<void> {
    const db = open<Buffer>({ path: dir, noSubdir: false, encoding: 'binary' });
    const cbor = new Encoder({ useRecords: false, mapsAsObjects: true });
    const value = alter(cbor.decode(db.get(key as string)!) as Record<string, unknown>);
    await db.put(key as string, Buffer.isBuffer(value) ? value : Buffer.from(cbor.encode(value)));
    await db.close();
  }

  it('refuses what a newer version wrote, and says so', async () => {
    await fill();
    await tamper('meta', (meta) => ({ ...meta, schema_version: 99, more: true }));
    await expect(openStore()).rejects.toMatchObject({
      code: 'newer_schema',
      message: `the store in ${dir} was written by a newer version (schema 99; this one knows ${STORE_SCHEMA.version})`,
    });
  });

  it('migrates what an older version wrote as one revision, or not at all', async () => {
    const store = await openStore();
    const { revision } = await store.load();
    await store.commit([change(1, [segment('seg-a', 'a'), segment('seg-b', 'b')], [], { vrf_key: 7 })], revision);
    await store.close();
    const openAs = (step: (entity: unknown) => unknown) =>
      openEmbeddedStore({ dir, random: systemRandom, schema: { version: STORE_SCHEMA.version + 1, steps: [...STORE_SCHEMA.steps, step] } });
    expect(await refusal(openAs((entity) => ((entity as { uuid: string }).uuid === 'seg-b' ? { uuid: 'seg-b' } : entity)))).toBe('corrupt');
    const before = await openStore();
    expect(await before.load()).toMatchObject({
      revision: { ...revision, number: 1 },
      entities: [segment('seg-a', 'a'), segment('seg-b', 'b')],
    });
    await before.close();

    const longer = (entity: unknown) => ({ ...(entity as object), display_name: `${(entity as { display_name: string }).display_name}+` });
    const newer = await openAs(longer);
    expect(await newer.load()).toEqual({
      revision: { ...revision, number: 2 },
      entities: [segment('seg-a', 'a+'), segment('seg-b', 'b+')],
      counters: { vrf_key: 7 },
    });
    expect(await refusal(newer.changesSince(revision))).toBe('compacted');
    await newer.commit([change(3, [segment('seg-c', 'c')])], { ...revision, number: 2 });
    await newer.close();
    expect(await refusal(openStore())).toBe('newer_schema');
    // Once is enough.
    const again = await openAs(longer);
    expect((await again.load()).entities).toEqual([segment('seg-a', 'a+'), segment('seg-b', 'b+'), segment('seg-c', 'c')]);
    await again.close();
  });

  it('refuses a damaged head record, entity or file, and says which', async () => {
    await fill();
    await tamper(['e', 'seg-7'], (entity) => ({ ...entity, mode: 'imaginary' }));
    const store = await openStore();
    await expect(store.load()).rejects.toMatchObject({ code: 'corrupt', message: expect.stringContaining('seg-7') });
    await store.close();
    await tamper(['e', 'seg-7'], () => Buffer.from([0xff, 0xff, 0x00]));
    const again = await openStore();
    expect(await refusal(again.load())).toBe('corrupt');
    await again.close();
    await tamper('meta', () => ({ schema_version: STORE_SCHEMA.version }));
    expect(await refusal(openStore())).toBe('corrupt');
  });

  it('refuses files that are not a store', async () => {
    await writeFile(join(dir, 'data.mdb'), Buffer.alloc(16_384, 'not a store '));
    expect(await refusal(openStore())).toBe('corrupt');
  });

  it('refuses a store that was cut short', async () => {
    await fill();
    const file = join(dir, 'data.mdb');
    await truncate(file, (await readFile(file)).length / 2);
    expect(await refusal(openStore().then((store) => store.load()))).toBe('corrupt');
  });

  it('keeps a writer out that another has replaced', async () => {
    const first = await openStore();
    const { revision } = await first.load();
    await tamper('meta', (meta) => ({ ...meta, writer: null }));
    const second = await openStore();
    expect(await refusal(first.commit([change(1, [segment('seg-a', 'stale')])], revision))).toBe('fenced');
    await second.commit([change(1, [segment('seg-a', 'new')])], revision);
    expect((await second.load()).entities).toEqual([segment('seg-a', 'new')]);
    await first.close();
    expect(await refusal(openStore())).toBe('locked');
    await second.close();
  });
});
