import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import type { ExecuteResult, Operation } from '../../controller/contract.js';
import { MemoryAppliedBoard } from '../../controller/applied/memory-board.js';
import type { SliceRecord, VifObservation } from '../../controller/messages/slice.js';
import { Vnmgr } from '../../controller/vnmgr.js';
import { KINDS, type UserKind } from '../../flows/model/entities.js';
import { HotoriError } from '../../flows/model/errors.js';
import { MemoryDisk } from '../fakes/memory-store.js';
import { ShakyStore, type Fate } from '../fakes/shaky-store.js';
import { create, refused, vif, Vna } from './world.js';

const NODES = ['a', 'b', 'c'];
const VNMGRS = 3;

/** vnmgr with its connection to the store that all share. */
class Member {
  readonly store: ShakyStore;
  readonly vnmgr: Vnmgr;
  isAlive = true;
  /** Resolves when it is killed. */
  readonly gone: Promise<undefined>;
  private go: (value: undefined) => void = () => undefined;

  private constructor(store: ShakyStore, vnmgr: Vnmgr) {
    this.store = store;
    this.vnmgr = vnmgr;
    this.gone = new Promise((resolve) => (this.go = resolve));
  }

  static async start(disk: MemoryDisk, board: MemoryAppliedBoard, seed: number): Promise<Member> {
    const store = new ShakyStore(disk);
    let state = seed;
    const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24;
    const vnmgr = await Vnmgr.start({
      store,
      board,
      clock: { now: () => Date.UTC(2026, 0, 1) },
      random: { bytes: (count) => Uint8Array.from({ length: count }, next) },
      options: { version: 'test', autoRegister: true, name: `vnmgr-${seed}` },
    });
    return new Member(store, vnmgr);
  }

  kill(): void {
    this.isAlive = false;
    this.store.kill();
    this.go(undefined);
  }
}

class Deployment {
  readonly disk = new MemoryDisk('shared', true);
  readonly board = new MemoryAppliedBoard();
  readonly members: Member[] = [];

  static async start(count = VNMGRS): Promise<Deployment> {
    const deployment = new Deployment();
    for (let n = 0; n < count; n++) await deployment.add();
    return deployment;
  }

  async add(): Promise<Member> {
    const member = await Member.start(this.disk, this.board, this.members.length + 1);
    this.members.push(member);
    return member;
  }

  get alive(): Member[] {
    return this.members.filter(({ isAlive }) => isAlive);
  }

  /** Every one is where the store is. */
  async settled(): Promise<void> {
    for (const { vnmgr } of this.alive) await vnmgr.execute([]);
  }

  async close(): Promise<void> {
    for (const { vnmgr } of this.alive) await vnmgr.close();
  }
}

function everything({ vnmgr }: Member): unknown[] {
  const whole = { offset: 0, limit: 10_000 };
  return [vnmgr.revision(), ...(Object.keys(KINDS) as UserKind[]).map((kind) => vnmgr.list(kind, whole))];
}

const sorted = (records: Iterable<SliceRecord>) => [...records].sort((a, b) => (a.uuid < b.uuid ? -1 : 1));

/** The slices of all nodes, as this vnmgr has them. The NICs are as they were, so that nothing is committed. */
async function slicesFrom({ vnmgr }: Member, plugged: ReadonlyMap<string, readonly VifObservation[]>): Promise<SliceRecord[][]> {
  const slices: SliceRecord[][] = [];
  for (const node of NODES) {
    const vna = await Vna.attach(vnmgr, node, plugged.get(node)!);
    slices.push(sorted(vna.slice.values()));
    vna.stop.abort();
  }
  return slices;
}

type Step =
  | { readonly ask: number; readonly fates: readonly Fate[]; readonly what: number }
  | { readonly node: number; readonly at: number; readonly vifs: readonly VifObservation[] }
  | { readonly kill: number }
  | { readonly pause: number }
  | { readonly turns: number };

const member = fc.nat(VNMGRS - 1);
const fates = fc.array(fc.constantFrom<Fate>('arrives', 'arrives', 'before', 'after'), { maxLength: 3 });
const nics = fc
  .uniqueArray(fc.tuple(fc.constantFrom('tap1', 'tap2'), fc.constantFrom('if-1', 'if-2', 'if-3')), { selector: ([port]) => port })
  .map((list) => list.map(([port, iface]) => vif(port, iface)));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ ask: member, fates, what: fc.nat(3) }) },
  { weight: 4, arbitrary: fc.record({ node: fc.nat(NODES.length - 1), at: member, vifs: nics }) },
  { weight: 1, arbitrary: member.map((kill) => ({ kill })) },
  { weight: 1, arbitrary: member.map((pause) => ({ pause })) },
  { weight: 3, arbitrary: fc.nat(5).map((turns) => ({ turns })) },
);

/** A request whose effect shows how often it was carried out. */
function operationsOf(n: number, what: number): Operation[] {
  const display_name = `request ${n}`;
  if (what === 0) return [create('segment', { mode: 'virtual', display_name })];
  if (what === 1) return [create('interface', { mode: 'vif', network_uuid: 'nw-1', ipv4_address: `10.0.${n + 1}.1`, display_name })];
  if (what === 2)
    return [
      create('interface', { mode: 'vif', network_uuid: 'nw-2', ipv4_address: `10.1.${n + 1}.1`, display_name }),
      create('route_link', {}),
    ];
  return [
    { verb: 'update', kind: 'network', uuid: 'nw-1', params: { display_name } },
    create('segment', { mode: 'virtual', display_name }),
  ];
}

const beginning = [
  create('network', { uuid: 'nw-1', ipv4_network: '10.0.0.0', ipv4_prefix: 16 }),
  create('network', { uuid: 'nw-2', ipv4_network: '10.1.0.0', ipv4_prefix: 16 }),
  ...[1, 2, 3].map((n) =>
    create('interface', { uuid: `if-${n}`, mode: 'vif', network_uuid: `nw-${1 + (n % 2)}`, ipv4_address: `10.${n % 2}.0.${n}` }),
  ),
];

describe('several vnmgr on one store', () => {
  it('carry out every request once and come to the same slices, whatever is lost, stands still or dies', async () => {
    let [lost, repeated] = [0, 0];
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40, size: 'max' }), async (steps) => {
        const deployment = await Deployment.start();
        const plugged = new Map<string, readonly VifObservation[]>(NODES.map((node) => [node, []]));
        const vnas = new Map<string, { vna: Vna; at: Member }>();
        await deployment.members[0]!.vnmgr.execute(beginning);

        /** As a client does: whoever is asked may never answer; then another is. */
        const request = async (n: number, operations: Operation[], first: Member): Promise<ExecuteResult> => {
          let asked = first;
          for (;;) {
            const result = await Promise.race([
              asked.vnmgr.execute(operations, { request_id: `request-${n}` }).catch((error: unknown) => error),
              asked.gone,
            ]);
            if (result !== undefined && !(result instanceof Error)) return result as ExecuteResult;
            if (result instanceof Error && !(result instanceof HotoriError && result.code === 'unavailable')) throw result;
            repeated++;
            asked = deployment.alive[n % deployment.alive.length]!;
          }
        };
        const attach = async (node: string, at: Member): Promise<void> => {
          vnas.get(node)?.vna.stop.abort();
          vnas.set(node, { vna: await Vna.attach(at.vnmgr, node, plugged.get(node)!), at });
        };

        const asked: Promise<{ n: number; result: ExecuteResult }>[] = [];
        for (const [n, one] of steps.entries()) {
          if ('ask' in one) {
            const target = deployment.members[one.ask]!;
            if (!target.isAlive) continue;
            target.store.fates.push(...one.fates);
            lost += one.fates.filter((fate) => fate !== 'arrives').length;
            asked.push(request(n, operationsOf(n, one.what), target).then((result) => ({ n, result })));
          } else if ('node' in one) {
            const node = NODES[one.node]!;
            plugged.set(node, one.vifs);
            const at = deployment.members[one.at]!;
            const now = vnas.get(node);
            if (now?.at.isAlive === true) now.vna.attachment.reportVifs(one.vifs);
            else if (at.isAlive) await attach(node, at);
          } else if ('kill' in one) {
            if (deployment.alive.length > 1) deployment.members[one.kill]!.kill();
          } else if ('pause' in one) {
            const { store } = deployment.members[one.pause]!;
            store.lag = n % 4;
            store.pause();
            void setImmediate().then(() => store.resume());
          } else for (let turn = 0; turn < one.turns; turn++) await setImmediate();
        }

        const answers = await Promise.all(asked);
        for (const { vna } of vnas.values()) vna.stop.abort();
        const [first] = deployment.alive;
        for (const node of NODES) (await Vna.attach(first!.vnmgr, node, plugged.get(node)!)).stop.abort();
        await deployment.add();
        await deployment.settled();

        const [state, ...others] = deployment.alive.map(everything);
        for (const other of others) expect(other).toEqual(state);
        expect(first!.vnmgr.revision().number).toBe(deployment.disk.revision);

        const names = [...deployment.disk.entities.values()].flatMap((entity) =>
          (entity.kind === 'segment' || entity.kind === 'interface') && entity.display_name !== '' ? entity.display_name : [],
        );
        expect(names.sort()).toEqual(answers.map(({ n }) => `request ${n}`).sort());
        for (const { n, result } of answers) {
          const held = deployment.disk.log.filter(({ requests }) => requests.some(({ id }) => id === `request-${n}`));
          expect(held.map(({ revision }) => revision)).toEqual([result.revision.number]);
        }

        const { revision } = deployment.disk;
        const [slices, ...same] = await Promise.all(deployment.alive.map((one) => slicesFrom(one, plugged)));
        for (const other of same) expect(other).toEqual(slices);
        expect(deployment.disk.revision).toBe(revision);
        await deployment.close();
      }),
      { numRuns: 20 },
    );
    // Otherwise nothing was lost on the way.
    expect(Math.min(lost, repeated)).toBeGreaterThan(0);
  }, 120_000);

  it('judge a request by the newest state of the store, however late changes get to them', async () => {
    const { members } = await Deployment.start(2);
    const [one, two] = members as [Member, Member];
    two.store.lag = Infinity;
    await one.vnmgr.execute([create('network', { uuid: 'nw-1', ipv4_network: '10.0.0.0' })]);
    expect(two.vnmgr.get('network', 'nw-1')).toBeUndefined();
    await two.vnmgr.execute([create('interface', { uuid: 'if-1', mode: 'vif', network_uuid: 'nw-1', ipv4_address: '10.0.0.5' })]);
    await one.vnmgr.execute([{ verb: 'delete', kind: 'interface', uuid: 'if-1' }]);
    expect((await refused(two.vnmgr.execute([{ verb: 'update', kind: 'interface', uuid: 'if-1', params: {} }]))).code).toBe('unknown_uuid');
  });

  it('cannot overwrite what others wrote while they stood still', async () => {
    const { members, disk } = await Deployment.start(2);
    const [stale, other] = members as [Member, Member];
    await other.vnmgr.execute([create('segment', { uuid: 'seg-1', mode: 'virtual' })]);
    stale.store.pause();
    const operations: Operation[] = [{ verb: 'update', kind: 'segment', uuid: 'seg-1', params: { display_name: 'asked twice' } }];
    const late = stale.vnmgr.execute(operations, { request_id: 'the-request' });
    const prompt = await other.vnmgr.execute(operations, { request_id: 'the-request' });
    await other.vnmgr.execute([{ verb: 'update', kind: 'segment', uuid: 'seg-1', params: { display_name: 'newer' } }]);
    const { revision } = disk;
    stale.store.resume();
    expect([(await late).revision, disk.revision]).toEqual([prompt.revision, revision]);
    expect(stale.vnmgr.get('segment', 'seg-1')?.view).toMatchObject({ display_name: 'newer' });
  });

  it('answer a request that was committed before they started', async () => {
    const deployment = await Deployment.start(1);
    const [first] = deployment.members;
    const operations = [create('segment', { mode: 'virtual' })];
    first!.store.fates.push('after');
    const before = await first!.vnmgr.execute(operations, { request_id: 'the-request' });
    first!.kill();
    const second = await deployment.add();
    expect(await second.vnmgr.execute(operations, { request_id: 'the-request' })).toEqual(before);
    expect(second.vnmgr.list('segment', { offset: 0, limit: 9 }).total_count).toBe(1);
  });

  it('get a large request through while others keep coming first', async () => {
    const { members } = await Deployment.start(2);
    const [one, two] = members as [Member, Member];
    await two.vnmgr.execute(beginning);
    let isDone = false;
    const large = one.vnmgr
      .execute(Array.from({ length: 3_000 }, (_, n) => create('segment', { uuid: `seg-${n}`, mode: 'virtual' })))
      .finally(() => (isDone = true));
    let others = 0;
    for (; !isDone; others++) {
      await two.vnmgr.execute([{ verb: 'update', kind: 'network', uuid: 'nw-1', params: { display_name: String(others) } }]);
      await setImmediate();
    }
    expect((await large).results).toHaveLength(3_000);
    expect(others).toBeGreaterThan(3);
    await two.vnmgr.execute([]);
    expect(everything(two)).toEqual(everything(one));
  });

  it('do not say that nothing was changed when the change is there and may yet be lost', async () => {
    const deployment = await Deployment.start(1);
    const { vnmgr, store } = deployment.members[0]!;
    store.fates.push('after');
    store.isUnconfirmed = true;
    const error = await vnmgr
      .execute([create('segment', { uuid: 'seg-a', mode: 'virtual' })], { request_id: 'once' })
      .catch((one: unknown) => one);
    expect(error).toMatchObject({ code: 'unavailable', details: { unknown: true } });
    store.isUnconfirmed = false;
    const answer = await vnmgr.execute([create('segment', { uuid: 'seg-a', mode: 'virtual' })], { request_id: 'once' });
    expect(answer.results).toMatchObject([{ uuid: 'seg-a' }]);
    await deployment.close();
  });

  it('run a request only once for two that ask at the same time under one id', async () => {
    const { members } = await Deployment.start(1);
    const { vnmgr } = members[0]!;
    const operations = [create('segment', { mode: 'virtual' })];
    const [a, b] = await Promise.all([1, 2].map(() => vnmgr.execute(operations, { request_id: 'x' })));
    expect(a).toEqual(b);
    expect(vnmgr.list('segment', { offset: 0, limit: 9 }).total_count).toBe(1);
  });

  it('wait for datapaths that are attached to another', async () => {
    const { members } = await Deployment.start(2);
    const [one, two] = members as [Member, Member];
    await one.vnmgr.execute(beginning);
    const vna = await Vna.attach(one.vnmgr, 'a', [vif('tap1', 'if-1')]);
    vna.confirm();
    two.store.lag = Infinity;
    const { revision } = await one.vnmgr.execute([{ verb: 'update', kind: 'network', uuid: 'nw-2', params: { mtu: 1400 } }]);
    const signal = new AbortController().signal;
    expect((await refused(two.vnmgr.waitInstalled(revision.number, 10, signal))).code).toBe('wait_timeout');
    const waiting = two.vnmgr.waitInstalled(revision.number, 5_000, signal);
    vna.confirm();
    expect(await waiting).toEqual({ installed: true, datapaths: ['dp-a'] });
    expect((await two.vnmgr.status()).datapaths).toMatchObject([
      { uuid: 'dp-a', connected: true, served_by: 'vnmgr-1', applied_revision: two.vnmgr.revision().number },
    ]);
  });
});
