import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { MemoryAppliedBoard } from '../../controller/applied/memory-board.js';
import type { ExecuteResult, Operation } from '../../controller/contract.js';
import { systemClock, systemRandom } from '../../controller/kernel/ambient.js';
import type { Store } from '../../controller/store/contract.js';
import { Vnmgr } from '../../controller/vnmgr.js';
import { KINDS, type UserKind } from '../../flows/model/entities.js';
import { HotoriError } from '../../flows/model/errors.js';
import { openStore, withDirectory } from '../compliance/redis-world.js';
import { RedisServer } from '../lab/redis.js';
import { create, vif, Vna } from './world.js';

const CLIENTS = 6;
const REQUESTS = 25;

interface Member {
  readonly store: Store;
  readonly vnmgr: Vnmgr;
}

async function startMember(url: string, board: MemoryAppliedBoard, n: number): Promise<Member> {
  const store = await openStore(url);
  const options = { version: 'test', autoRegister: true, name: `vnmgr-${n}` };
  return { store, vnmgr: await Vnmgr.start({ store, board, clock: systemClock, random: systemRandom, options }) };
}

function everything({ vnmgr }: Member): unknown[] {
  const whole = { offset: 0, limit: 10_000 };
  return [vnmgr.revision(), ...(Object.keys(KINDS) as UserKind[]).map((kind) => vnmgr.list(kind, whole))];
}

/** Each request shows in the model how often it was carried out. */
const operationsOf = (name: string, n: number): Operation[] => [
  create('segment', { mode: 'virtual', display_name: name }),
  { verb: 'update', kind: 'network', uuid: `nw-${n % 2}`, params: { display_name: name } },
];

describe('several vnmgr on one Redis', () => {
  it('carry out every request once and agree, while Redis stands still and is killed, and one of them leaves', async () => {
    await withDirectory(async (dir) => {
      const redis = await RedisServer.start(join(dir, 'redis'));
      const board = new MemoryAppliedBoard();
      const members: Member[] = [];
      for (const n of [1, 2, 3]) members.push(await startMember(redis.url, board, n));
      try {
        await members[0]!.vnmgr.execute([
          ...[0, 1].map((n) => create('network', { uuid: `nw-${n}`, ipv4_network: `10.${n}.0.0` })),
          ...[1, 2].map((n) => create('interface', { uuid: `if-${n}`, mode: 'vif', network_uuid: 'nw-0', ipv4_address: `10.0.0.${n}` })),
        ]);
        const vna = await Vna.attach(members[1]!.vnmgr, 'a', [vif('tap1', 'if-1')]);

        const ask = async (name: string, n: number): Promise<{ name: string; result: ExecuteResult }> => {
          for (let attempt = 0; ; attempt++) {
            const { vnmgr } = members[(n + attempt) % members.length]!;
            try {
              return { name, result: await vnmgr.execute(operationsOf(name, n), { request_id: name }) };
            } catch (error) {
              if (!(error instanceof HotoriError) || error.code !== 'unavailable') throw error;
              await setTimeout(50);
            }
          }
        };
        const client = async (n: number) => {
          const answers: { name: string; result: ExecuteResult }[] = [];
          for (let i = 0; i < REQUESTS; i++) answers.push(await ask(`client ${n} request ${i}`, n + i));
          return answers;
        };
        const clients = Array.from({ length: CLIENTS }, (_, n) => client(n));
        const trouble = async () => {
          await setTimeout(100);
          vna.attachment.reportVifs([vif('tap1', 'if-1'), vif('tap2', 'if-2')]);
          redis.signal('SIGSTOP');
          await setTimeout(200);
          redis.signal('SIGCONT');
          await setTimeout(100);
          await redis.kill9();
          await setTimeout(200);
          await redis.run();
          await setTimeout(100);
          // As a process that dies: whoever asked it is not answered.
          const leaver = members.shift()!;
          await leaver.store.close();
          await leaver.vnmgr.close();
        };
        const [answers] = await Promise.all([Promise.all(clients).then((lists) => lists.flat()), trouble()]);
        members.push(await startMember(redis.url, board, 4));
        for (const { vnmgr } of members) await vnmgr.execute([]);

        const [state, ...others] = members.map(everything);
        for (const other of others) expect(other).toEqual(state);
        const [{ vnmgr }] = members as [Member];
        const names = vnmgr.list('segment', { offset: 0, limit: 10_000 }).items.map((view) => view['display_name'] as string);
        expect(names.sort()).toEqual(answers.map(({ name }) => name).sort());
        const revisions = answers.map(({ result }) => result.revision.number);
        expect(new Set(revisions).size).toBe(CLIENTS * REQUESTS);

        const seen = [vif('tap1', 'if-1'), vif('tap2', 'if-2')];
        await vna.see(seen);
        const slices = [vna.slice];
        for (const member of members.slice(1)) slices.push((await Vna.attach(member.vnmgr, 'a', seen)).slice);
        for (const slice of slices) expect([...slice].sort()).toEqual([...slices[0]!].sort());
        expect([...slices[0]!.keys()].sort()).toEqual(expect.arrayContaining(['bind-if-1', 'bind-if-2', 'ch-dp-a', 'nw-0']));
      } finally {
        for (const { vnmgr, store } of members) {
          await vnmgr.close();
          await store.close();
        }
        await redis.stop();
      }
    });
  }, 60_000);
});
