import { setTimeout as sleep } from 'node:timers/promises';
import { MemoryBroker } from '../../../controller/bus/memory-bus.js';
import type { Status } from '../../../controller/contract.js';
import type { Bus } from '../../../controller/bus/contract.js';
import { encodeMessage } from '../../../controller/messages/envelope.js';
import { SLICES, slicesOf, topicOf } from '../../../controller/messages/slice-service.js';
import type { SliceAttachment, SliceMessage, SliceRecord } from '../../../controller/messages/slice.js';
import { ControlClient } from '../../../controller/services/control-client.js';
import { SliceClient } from '../../../controller/services/slice-client.js';
import { SliceServer } from '../../../controller/services/slice-server.js';
import { eventually } from '../../lab/eventually.js';
import { create, vif, World } from '../world.js';

const DPID = '0x00000000000000aa';
const hello = (nics: readonly string[] = []) => ({
  node_id: 'hv1',
  dpid: DPID,
  bridge: 'br-int',
  vifs: nics.map((name) => vif(name, `if-${name}`)),
});

/** What was logged, by message. */
class Log {
  readonly lines: string[] = [];
  readonly info = (): void => undefined;
  readonly warn = (_fields: object, message: string): void => void this.lines.push(message);
  readonly error = (_fields: object, message: string): void => void this.lines.push(message);
}

let broker: MemoryBroker;
let log: Log;
let closing: (() => Promise<void>)[];
beforeEach(() => {
  broker = new MemoryBroker();
  log = new Log();
  closing = [];
});
afterEach(async () => {
  for (const close of closing.reverse()) await close();
});

/** A vnmgr of its own behind the bus. */
async function startVnmgr(member: string, nics: readonly string[] = []): Promise<World> {
  const world = await World.start();
  await world.create('network', { uuid: 'nw-a', mode: 'virtual', ipv4_network: '10.0.0.0', ipv4_prefix: 16 });
  for (const nic of nics) await plug(world, nic);
  const bus = broker.join(member);
  const server = new SliceServer({ bus, source: world.vnmgr, log });
  closing.push(async () => {
    await server.close();
    await bus.close();
    await world.vnmgr.close();
  });
  return world;
}

let addresses = 1;
async function plug(world: World, name: string): Promise<void> {
  const address = addresses++;
  const text = `10.0.${address >> 8}.${address & 255}`;
  const mac = `02:00:00:00:${(address >> 8).toString(16).padStart(2, '0')}:${(address & 255).toString(16).padStart(2, '0')}`;
  await world.vnmgr.execute([
    create('interface', { uuid: `if-${name}`, mode: 'vif', mac_address: mac, network_uuid: 'nw-a', ipv4_address: text }),
  ]);
}

interface Seen {
  readonly slice: Map<string, SliceRecord>;
  readonly kinds: string[];
  attachment: SliceAttachment;
  readonly stop: AbortController;
  readonly client: SliceClient;
  readonly bus: Bus;
}

async function startVna(member: string, nics: readonly string[] = [], instance = `instance of ${member}`, lossMs = 300): Promise<Seen> {
  const bus = broker.join(member);
  let seed = member.length;
  const random = { bytes: (count: number) => Uint8Array.from({ length: count }, () => (seed = (seed * 31 + 7) & 255)) };
  const client = new SliceClient({ bus, random, log, instance, checkMs: 50, lossMs });
  closing.push(async () => {
    await client.close();
    await bus.close();
  });
  const seen = { slice: new Map(), kinds: [] as string[], stop: new AbortController(), client, bus } as unknown as Seen;
  seen.attachment = await attach(seen, nics);
  return seen;
}

function attach(seen: Seen, nics: readonly string[]): Promise<SliceAttachment> {
  let seq = 0;
  const take = (message: SliceMessage): void => {
    seen.kinds.push(message.kind);
    if (message.kind === 'snapshot') seen.slice.clear();
    else if (message.seq !== seq + 1) throw new Error(`seq ${message.seq} after ${seq}`);
    else for (const uuid of message.deletes) seen.slice.delete(uuid);
    for (const record of message.kind === 'snapshot' ? message.entities : message.puts) seen.slice.set(record.uuid, record);
    seq = message.seq;
  };
  return seen.client.attach(hello(nics), take, seen.stop.signal);
}

const has = (seen: Seen, uuid: string): Promise<boolean> => eventually(`${uuid} in the slice`, () => seen.slice.has(uuid));
const statusOf = async (world: World): Promise<Status> => Promise.resolve(world.vnmgr.status());

describe('slices over the bus', () => {
  it('are a snapshot and what follows', async () => {
    const world = await startVnmgr('v1', ['a']);
    const vna = await startVna('vna', ['a']);
    await has(vna, 'if-a');
    await plug(world, 'b');
    await has(vna, 'if-b');
    vna.attachment.reportVifs([]);
    await eventually('the network leaving the slice', () => !vna.slice.has('nw-a'));
    vna.attachment.reportVifs([vif('b', 'if-b')]);
    await has(vna, 'bind-if-b');
    expect([vna.kinds[0], vna.kinds.filter((kind) => kind === 'snapshot').length]).toEqual(['snapshot', 1]);
    vna.attachment.reportApplied({
      datapath_uuid: vna.attachment.datapath_uuid,
      connected: true,
      applied_seq: 1,
      flow_count: 17,
      flow_mods: 3,
      error: null,
    });
    await eventually('the report arriving', async () => (await statusOf(world)).datapaths[0]!.flow_count === 17);
    vna.attachment.serveFlows((owner) =>
      Promise.resolve([{ table: 1, table_name: 'T', priority: 1, text: 'x', cookie: '0x0', owners: [owner ?? ''], rule: 'r' }]),
    );
    expect((await eventually('flows', () => world.vnmgr.flows(vna.attachment.datapath_uuid, 'if-a')))[0]!.owners).toEqual(['if-a']);
  });

  it('are confirmed by the last report, however soon it follows the answer to the one before', async () => {
    const world = await startVnmgr('v1', ['a']);
    const vna = await startVna('vna', ['a']);
    const { datapath_uuid } = vna.attachment;
    const report = (flow_count: number): void =>
      vna.attachment.reportApplied({ datapath_uuid, connected: true, applied_seq: 1, flow_count, flow_mods: 0, error: null });
    const { bus } = vna;
    const request = bus.request.bind(bus);
    for (let hops = 0; hops < 30; hops++) {
      bus.request = async (...args) => {
        bus.request = request;
        const answer = await request(...args);
        const follow = async (): Promise<void> => {
          for (let hop = 0; hop < hops; hop++) await Promise.resolve();
          report(2_000 + hops);
        };
        void follow();
        return answer;
      };
      report(1_000 + hops);
      await eventually(
        `the report ${hops} turns of microtasks later`,
        async () => (await statusOf(world)).datapaths[0]!.flow_count === 2_000 + hops,
        {
          everyMs: 1,
          timeoutMs: 3_000,
        },
      );
    }
  });

  it('tell a vna who has not installed a revision', async () => {
    const world = await startVnmgr('v1', ['a']);
    const vna = await startVna('vna', ['a']);
    await has(vna, 'if-a');
    const { datapath_uuid } = vna.attachment;
    const revision = world.vnmgr.revision().number;
    const behind = () => vna.attachment.behind(revision, [datapath_uuid, 'dp-deleted']);
    const before = await behind();
    const applied = { datapath_uuid, connected: true, flow_count: 1, flow_mods: 1, error: null };
    vna.attachment.reportApplied({ ...applied, applied_seq: 100 });
    await eventually('the report arriving', async () => (await statusOf(world)).datapaths[0]!.applied_revision === revision);
    expect([before, await behind()]).toEqual([[datapath_uuid], []]);
  });

  it('that are held back are accepted at the word of vnmgr, once', async () => {
    const world = await startVnmgr('v1', ['a']);
    const vna = await startVna('vna', ['a']);
    const { datapath_uuid } = vna.attachment;
    await expect(world.vnmgr.acceptSlice(datapath_uuid)).rejects.toMatchObject({ code: 'unavailable' });
    let isHeld = true;
    vna.attachment.serveAcceptance(() => {
      const wasHeld = isHeld;
      isHeld = false;
      return Promise.resolve(wasHeld);
    });
    const first = await eventually('the vna serving', () => world.vnmgr.acceptSlice(datapath_uuid).then((accepted) => ({ accepted })));
    const webapi = broker.join('webapi');
    closing.push(() => webapi.close());
    const replica = { get: ((_kind: string, uuid: string) => (uuid === datapath_uuid ? {} : undefined)) as never };
    const client = new ControlClient({ bus: webapi, replica, random: { bytes: (count) => new Uint8Array(count) }, log });
    expect([first, await client.acceptSlice(datapath_uuid)]).toEqual([{ accepted: true }, false]);
    for (const controller of [world.vnmgr, client])
      await expect(controller.acceptSlice('dp-none')).rejects.toMatchObject({ code: 'unknown_uuid' });
  });

  it('come whole when they are large', async () => {
    const world = await startVnmgr('v1', ['a']);
    await world.vnmgr.execute(
      Array.from({ length: 3_000 }, (_, index) =>
        create('mac_lease', {
          interface_uuid: 'if-a',
          mac_address: `06:00:00:00:${(index >> 8).toString(16).padStart(2, '0')}:${(index & 255).toString(16).padStart(2, '0')}`,
        }),
      ),
    );
    const vna = await startVna('vna', ['a']);
    await eventually('the snapshot', () => vna.slice.size > 3_000);
    expect(vna.kinds).toEqual(['snapshot']);
  });

  it('come from another vnmgr when the one is paused', async () => {
    const worlds = { v1: await startVnmgr('v1', ['a']), v2: await startVnmgr('v2', ['a']) };
    const vna = await startVna('vna', ['a']);
    await has(vna, 'if-a');
    const served = async () => {
      const found: string[] = [];
      for (const [name, world] of Object.entries(worlds)) if ((await statusOf(world)).datapaths.length > 0) found.push(name);
      return found;
    };
    const [first] = await served();
    broker.cut(first!);
    await vna.attachment.closed;
    vna.attachment = await attach(vna, ['a']);
    await has(vna, 'if-a');
    expect(await served()).toEqual(['v1', 'v2']);
    const other = first === 'v1' ? 'v2' : 'v1';
    await plug(worlds[other as 'v1'], 'later');
    await has(vna, 'if-later');
    // The one that was paused finds that the vna has gone elsewhere, and what it says reaches nobody.
    broker.restore(first!);
    await plug(worlds[first as 'v1'], 'ghost');
    await sleep(100);
    expect(vna.slice.has('if-ghost')).toBe(false);
  });

  it('go on from a vnmgr that was only late', async () => {
    const world = await startVnmgr('v1', ['a']);
    const vna = await startVna('vna', ['a'], 'one', 60_000);
    await has(vna, 'if-a');
    broker.cut('v1');
    await sleep(broker.graceMs * 4);
    broker.restore('v1');
    await plug(world, 'b');
    await has(vna, 'if-b');
    expect([vna.kinds.filter((kind) => kind === 'snapshot').length, log.lines]).toEqual([1, []]);
  });

  it('begin for many vnas at once', async () => {
    const world = await startVnmgr('v1');
    const vna = await startVna('vna');
    const dpids = Array.from({ length: 60 }, (_, index) => `0x${(0x1000 + index).toString(16).padStart(16, '0')}`);
    const uuids = await Promise.all(
      dpids.map(async (dpid) => {
        const attaching = vna.client.attach({ ...hello(), node_id: `hv${dpid}`, dpid }, () => undefined, new AbortController().signal);
        return (await attaching).datapath_uuid;
      }),
    );
    const served = (await statusOf(world)).datapaths.filter(({ served_by }) => served_by !== null);
    expect([new Set(uuids).size, served.length]).toEqual([60, 61]);
  });

  it('are asked for again when messages are missing', async () => {
    const world = await startVnmgr('v1', ['a']);
    const vna = await startVna('vna', ['a']);
    await has(vna, 'if-a');
    broker.cut('vna');
    for (const name of ['b', 'c', 'd']) await plug(world, name);
    const [topic] = [...broker.topics.values()];
    topic!.messages.splice(-2, 1);
    broker.restore('vna');
    await eventually('the whole slice', () => ['if-b', 'if-c', 'if-d'].every((uuid) => vna.slice.has(uuid)));
    expect([vna.kinds.filter((kind) => kind === 'snapshot').length, vna.client.counters]).toEqual([2, { gaps: 1, relists: 1 }]);
  });

  it('are asked for again when the last message is missing', async () => {
    const world = await startVnmgr('v1', ['a']);
    const vna = await startVna('vna', ['a']);
    await has(vna, 'if-a');
    broker.cut('vna');
    await plug(world, 'b');
    [...broker.topics.values()][0]!.messages.pop();
    broker.restore('vna');
    await has(vna, 'if-b');
  });

  it('survive bytes that are no messages', async () => {
    const world = await startVnmgr('v1', ['a']);
    const vna = await startVna('vna', ['a']);
    await has(vna, 'if-a');
    const [topic] = [...broker.topics.values()];
    const last = topic!.messages.at(-1)!;
    topic!.messages.push({ position: last.position + 1, payload: Uint8Array.of(0x9f, 0xff, 1, 2) });
    broker.changed();
    await eventually('another snapshot', () => vna.kinds.filter((kind) => kind === 'snapshot').length === 2);
    const intruder = broker.join('intruder');
    for (const payload of [Uint8Array.of(0xff), encodeMessage('attach', { hello: 'no' }), encodeMessage('nonsense', {}), new Uint8Array(0)])
      await intruder.request(slicesOf('v1'), payload, { timeoutMs: 1_000 });
    await intruder.close();
    await plug(world, 'b');
    await has(vna, 'if-b');
    expect(log.lines).toContain('a message cannot be read');
  });

  it('are refused to a vna that speaks another version, which is logged', async () => {
    await startVnmgr('v1');
    const old = broker.join('old');
    await old.request(SLICES, encodeMessage('attach', {}, 99), { timeoutMs: 1_000 });
    await old.close();
    expect(log.lines).toEqual(['a program of another version speaks to us']);
  });

  it('are refused to a second vna of one datapath while the first lives', async () => {
    await startVnmgr('v1', ['a']);
    const first = await startVna('host1', ['a']);
    await has(first, 'if-a');
    await expect(startVna('host2', ['a'])).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('host1') as string });
    expect(log.lines).toContain('a second vna for one datapath is refused');
    await first.client.close();
    expect(await startVna('host3', ['a'])).toBeDefined();
  });

  it('go to a restarted vna at once, and to another when the first is lost', async () => {
    await startVnmgr('v1', ['a']);
    await startVna('host1', ['a'], 'one');
    broker.cut('host1');
    const restarted = await startVna('host1-again', ['a'], 'one');
    await has(restarted, 'if-a');
    broker.cut('host1-again');
    await sleep(broker.graceMs * 2);
    await has(await startVna('host2', ['a']), 'if-a');
  });

  it('end for the vna when vnmgr stops, and go on at the next', async () => {
    const world = await startVnmgr('v1', ['a']);
    const vna = await startVna('vna', ['a']);
    await has(vna, 'if-a');
    const stopV1 = closing.shift()!;
    await startVnmgr('v2', ['a']);
    await stopV1();
    await vna.attachment.closed;
    expect(world.vnmgr).toBeDefined();
    vna.attachment = await attach(vna, ['a']);
    await has(vna, 'if-a');
  });

  it('leave no topic behind', async () => {
    await startVnmgr('v1', ['a']);
    const vna = await startVna('vna', ['a']);
    await has(vna, 'if-a');
    const [topic] = [...broker.topics.keys()];
    expect(topic!.startsWith(topicOf('vna/'))).toBe(true);
    await vna.client.close();
    await eventually('the topic being gone', () => broker.topics.size === 0);
  });
});
