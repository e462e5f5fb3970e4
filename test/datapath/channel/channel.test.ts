/** The channel against a switch that behaves. */
import type { PacketIn } from '../../../datapath/channel/contract.js';
import { BundleError } from '../../../datapath/channel/errors.js';
import type { TableMod } from '../../../datapath/channel/contract.js';
import type { Flow, Meter } from '../../../flows/openflow/flow.js';
import { Bench, aFlow, rejection, until } from './harness.js';

const bench = new Bench();
afterEach(() => bench.closeAll());

const adds = (count: number): TableMod[] => Array.from({ length: count }, (_, n) => ({ kind: 'flow_add', flow: aFlow(n) }));

describe('a channel', () => {
  it('knows the features of the switch when the handshake is done', async () => {
    const { channel } = await bench.connected({ datapathId: 0xabcdn });
    expect(channel.features).toEqual({ datapath_id: 0xabcdn, n_tables: 254, capabilities: 0x4f, auxiliary_id: 0 });
  });

  it('installs a bundle of thousands of flows in order', async () => {
    const { fake, channel } = await bench.connected();
    await channel.bundle([...adds(5_000), { kind: 'flow_delete_strict', flow: aFlow(7) }]);
    expect(fake.tables.flows.size).toBe(4_999);
    expect(channel.snapshot().events).toMatchObject({ bundles_committed: 1, bundles_failed: 0 });
  });

  it('applies nothing and names the member when a bundle fails at commit', async () => {
    const { fake, channel } = await bench.connected();
    const orphan = aFlow(50, { instructions: [{ kind: 'apply_actions', actions: [{ kind: 'group', group_id: 9 }] }] });
    const error = await rejection(channel.bundle([...adds(20), { kind: 'flow_add', flow: orphan }, ...adds(20)]));
    expect(error).toBeInstanceOf(BundleError);
    expect(error).toMatchObject({ index: 20, error: { type: 2, code: 9, name: 'OFPBAC_BAD_OUT_GROUP' } });
    expect(fake.tables.flows.size).toBe(0);
  });

  it('applies nothing and names the member when one cannot be read on arrival', async () => {
    const { fake, channel } = await bench.connected({ misbehaviour: { failMod: { nth: 4, error: { type: 4, code: 0 } } } });
    const error = await rejection(channel.bundle(adds(10)));
    expect(error).toMatchObject({ index: 3, error: { type: 4, code: 0 } });
    expect(fake.tables.flows.size).toBe(0);
    // The connection is as good as before.
    await channel.bundle(adds(10));
    expect(fake.tables.flows.size).toBe(10);
  });

  describe('when the switch has read the like of a bundle before', () => {
    const connected = async (): Promise<Awaited<ReturnType<Bench['connected']>> & { readonly kinds: string[] }> => {
      const kinds: string[] = [];
      const made = await bench.connected({ onMessage: ({ kind }) => void kinds.push(kind) });
      await made.channel.bundle(adds(3));
      kinds.length = 0;
      return { ...made, kinds };
    };
    const more = [...adds(8)].slice(3);

    it('commits it without waiting for a barrier', async () => {
      const { fake, channel, kinds } = await connected();
      await channel.bundle(more);
      expect({ kinds, flows: fake.tables.flows.size }).toEqual({
        kinds: ['bundle_control', ...more.map(() => 'bundle_add'), 'bundle_control', 'barrier_request'],
        flows: 8,
      });
    });

    it('asks whether it was read when one of it is of another table, field or action', async () => {
      const { channel, kinds } = await connected();
      const inTable: TableMod = { kind: 'flow_add', flow: aFlow(9, { table: 3 }) };
      const withAction: TableMod = {
        kind: 'flow_add',
        flow: aFlow(9, { instructions: [{ kind: 'apply_actions', actions: [{ kind: 'output', port: 0xffff_fff8 }] }] }),
      };
      const withField: TableMod = { kind: 'flow_add', flow: aFlow(9, { match: [{ field: 'eth_type', value: 0x86dd }] }) };
      for (const mod of [inTable, withAction, withField]) await channel.bundle([mod]);
      const inSteps = ['bundle_control', 'bundle_add', 'barrier_request', 'bundle_control', 'barrier_request'];
      expect(kinds).toEqual([...inSteps, ...inSteps, ...inSteps]);
    });

    it('says which were left out when it does not read one after all, and asks from then on', async () => {
      const { fake, channel, kinds } = await connected();
      fake.misbehaviour.failMod = { nth: 2, error: { type: 4, code: 0 } };
      const error = await rejection(channel.bundle(more));
      expect(error).toMatchObject({ name: 'BundleError', index: 1, leftOut: new Map([[1, { type: 4, code: 0 }]]) });
      expect(fake.tables.flows.size).toBe(7);
      kinds.length = 0;
      await channel.bundle(more);
      expect(kinds.filter((kind) => kind === 'barrier_request')).toHaveLength(2);
    });

    it('applies nothing when it fails at commit', async () => {
      const { fake, channel } = await connected();
      fake.misbehaviour.failMod = { nth: 2, error: { type: 5, code: 1 }, when: 'commit' };
      const error = await rejection(channel.bundle(more));
      expect(error).toMatchObject({ name: 'BundleError', index: 1, leftOut: undefined });
      expect(fake.tables.flows.size).toBe(3);
    });
  });

  it('names the member that has no form on the wire', async () => {
    const { fake, channel } = await bench.connected();
    const buckets = Array.from({ length: 3_000 }, () => ({ actions: [{ kind: 'output', port: 1 }] as const }));
    const error = await rejection(channel.bundle([...adds(2), { kind: 'group_add', group: { group_id: 1, type: 'all', buckets } }]));
    expect(error).toMatchObject({ name: 'BundleError', index: 2, error: { xid: 0, code: 6 } });
    expect(fake.tables.flows.size).toBe(0);
  });

  it('runs bundles one after the other in the order they were asked for', async () => {
    const { fake, channel } = await bench.connected();
    const flow = (port: number): TableMod => ({
      kind: 'flow_add',
      flow: aFlow(1, { instructions: [{ kind: 'apply_actions', actions: [{ kind: 'output', port }] }] }),
    });
    await Promise.all([channel.bundle([flow(1)]), channel.bundle([flow(2)]), channel.bundle([flow(3)])]);
    expect([...fake.tables.flows.values()].map((f) => f.instructions)).toEqual([
      [{ kind: 'apply_actions', actions: [{ kind: 'output', port: 3, max_len: 0 }] }],
    ]);
  });

  it('sends an empty bundle without harm', async () => {
    const { channel } = await bench.connected();
    await expect(channel.bundle([])).resolves.toBeUndefined();
  });

  it('gives up a bundle when its signal fires before the commit', async () => {
    const abort = new AbortController();
    const { fake, channel } = await bench.connected({
      onMessage: (message) => message.kind === 'bundle_add' && abort.abort(new Error('changed my mind')),
    });
    expect(await rejection(channel.bundle(adds(10), abort.signal))).toMatchObject({ message: 'changed my mind' });
    await channel.barrier();
    expect(fake.tables.flows.size).toBe(0);
  });

  it('streams a dump by part, filtered by cookie', async () => {
    const { channel } = await bench.connected({ partSize: 50 });
    await channel.bundle(adds(1_000));
    const parts: Flow[][] = [];
    await channel.dumpFlows({ cookie: 0n, cookie_mask: 1n }, (flows) => void parts.push([...flows]));
    expect(parts.map((part) => part.length)).toEqual(Array.from({ length: 10 }, () => 50));
    expect(parts.flat().every((flow) => flow.cookie % 2n === 0n)).toBe(true);
    expect(await channel.countFlows({ cookie: 0n, cookie_mask: 0n })).toBe(1_000);
  });

  it('reads back the groups and meters it has set', async () => {
    const { channel } = await bench.connected();
    const group = { group_id: 5, type: 'select', buckets: [{ weight: 1, actions: [{ kind: 'output', port: 2 }] }] } as const;
    const meter: Meter = { meter_id: 3, flags: 2, bands: [{ kind: 'drop', rate: 100, burst_size: 0 }] };
    await channel.bundle([{ kind: 'group_add', group }]);
    await channel.meterMod('add', meter);
    expect(await channel.dumpGroups()).toMatchObject([{ group_id: 5, type: 'select', buckets: [{ weight: 1 }] }]);
    expect(await channel.dumpMeters()).toEqual([meter]);
  });

  it('rejects a meter the switch refuses, and only that one', async () => {
    const { channel } = await bench.connected();
    const meter: Meter = { meter_id: 3, flags: 2, bands: [] };
    await channel.meterMod('add', meter);
    expect(await rejection(channel.meterMod('add', meter))).toMatchObject({
      name: 'SwitchRejection',
      error: { name: 'OFPMMFC_METER_EXISTS' },
    });
    await channel.meterMod('delete', meter);
    expect(await channel.dumpMeters()).toEqual([]);
  });

  it('flushes conntrack of a zone before it resolves', async () => {
    const { fake, channel } = await bench.connected();
    await channel.ctFlushZone(12);
    expect(fake.received.get('ct_flush_zone')).toBe(1);
  });

  it('gets packet-ins only on the connection that asked for them', async () => {
    const { fake, socketPath } = await bench.fakeSwitch();
    const programming: PacketIn[] = [];
    const punts: PacketIn[] = [];
    await bench.connect(socketPath, { onPacketIn: (packet) => void programming.push(packet) });
    const punt = await bench.connect(socketPath);
    await punt.enablePunts(7, (packet) => void punts.push(packet));
    const data = new Uint8Array(60).fill(7);
    expect(fake.packetIn({ data, controllerId: 7, reason: 2, userdata: Uint8Array.of(1, 2) })).toBe(1);
    await until(() => punts.length === 1);
    expect(programming).toEqual([]);
    expect(punts.map((p) => ({ ...p, data: [...p.data], userdata: [...p.userdata] }))).toEqual([
      { data: [...data], full_length: 60, table: 0, cookie: 0n, reason: 2, metadata: [{ field: 'in_port', value: 1 }], userdata: [1, 2] },
    ]);
  });

  it('sends packet-outs without waiting', async () => {
    const seen: unknown[] = [];
    const { channel } = await bench.connected({ onMessage: (message) => message.kind === 'packet_out' && seen.push(message.in_port) });
    for (let port = 1; port <= 3; port++) channel.packetOut(new Uint8Array(60), port, [{ kind: 'output', port: 1 }]);
    await channel.barrier();
    expect(seen).toEqual([1, 2, 3]);
    expect(channel.snapshot().events.packet_outs_dropped).toBe(0);
  });

  it('measures echo and barrier', async () => {
    const { channel } = await bench.connected();
    await channel.barrier();
    expect(await channel.probe(1_000)).toBeGreaterThan(0);
    const snapshot = channel.snapshot();
    expect(snapshot.echo_rtt).toBeGreaterThan(0);
    expect(snapshot.barrier_latency).toBeGreaterThan(0);
    expect(snapshot).toMatchObject({
      state: 'ready',
      role: 'equal',
      pending_requests: 0,
      rx: { messages: 4, by_type: { hello: 1, features_reply: 1, barrier_reply: 1, echo_reply: 1 } },
      tx: { messages: 4, by_type: { hello: 1, features_request: 1, barrier_request: 1, echo_request: 1 } },
      errors: {},
    });
  });

  it('resolves closed without a reason when closed by its owner, and every promise settles', async () => {
    const { channel } = await bench.connected({ misbehaviour: { delay: 500 } });
    const pending = [rejection(channel.barrier()), rejection(channel.dumpGroups()), rejection(channel.bundle(adds(3)))];
    channel.close();
    expect(await channel.closed).toBeUndefined();
    expect(await Promise.all(pending)).toMatchObject([{ code: 'closed' }, { code: 'closed' }, { code: 'closed' }]);
    expect(await rejection(channel.barrier())).toMatchObject({ code: 'closed' });
    channel.packetOut(new Uint8Array(10), 1, []);
    expect(channel.snapshot()).toMatchObject({ state: 'closed', events: { packet_outs_dropped: 1 } });
  });
});
