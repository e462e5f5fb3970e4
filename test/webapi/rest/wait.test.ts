import type { SliceMessage } from '../../../controller/messages/slice.js';
import { FakeVna } from '../fake-vna.js';
import { problem, startApi, startController } from '../support.js';

const PLUGGED = [{ port_name: 'tap-a', iface_id: 'if-a' }];

async function start(answers: (message: SliceMessage) => 'applies' | 'hangs' | 'fails') {
  const vnmgr = await startController();
  const { api, stop } = await startApi({ controller: vnmgr });
  await api.post('/api/networks').send({ uuid: 'nw-a', ipv4_network: '10.0.0.0' });
  await api.post('/api/interfaces').send({ uuid: 'if-a', mode: 'vif', network_uuid: 'nw-a', ipv4_address: '10.0.0.5' });
  const vna = await FakeVna.attach(vnmgr, { node_id: 'hv1', dpid: '0x0000000000000001', bridge: 'br-int', vifs: PLUGGED }, answers);
  return { vnmgr, api, stop, vna };
}

describe('a write with wait=installed', () => {
  it('answers at once when no datapath is concerned', async () => {
    const { api } = await startApi();
    const post = await api.post('/api/segments?wait=installed').send({ uuid: 'seg-a', mode: 'virtual' });
    expect([post.status, post.body]).toEqual([200, expect.objectContaining({ uuid: 'seg-a', installed: true, datapaths: [] })]);
    expect((await api.delete('/api/segments/seg-a?wait=installed')).body).toEqual(['seg-a']);
    expect((await api.post('/api/batch?wait=installed').send({ operations: [] })).body).toMatchObject({ installed: true, datapaths: [] });
  });

  it('answers when the datapaths concerned have confirmed', async () => {
    const { api, vna } = await start(() => 'applies');
    const { status, body } = await api.put('/api/networks/nw-a?wait=installed').send({ mtu: 1400 });
    expect([status, body]).toEqual([200, expect.objectContaining({ uuid: 'nw-a', mtu: 1400, installed: true, datapaths: [vna.uuid] })]);
  });

  it('that times out is 504, names the laggards and says that the change is committed', async () => {
    const { api, vna } = await start((message) => (message.kind === 'snapshot' ? 'applies' : 'hangs'));
    const response = await api.put('/api/networks/nw-a?wait=installed&timeout=0.05').send({ mtu: 1400 });
    const revision = Number(response.headers['hotori-revision']);
    expect(problem(response)).toMatchObject({ status: 504, type: 'wait_timeout' });
    expect(response.text).toContain(vna.uuid);
    expect(response.body).toMatchObject({ committed: true, revision, result: { uuid: 'nw-a', mtu: 1400 } });
    expect((await api.get('/api/networks/nw-a')).body).toMatchObject({ mtu: 1400 });

    const resumed = api.get(`/api/status?revision=${revision}&wait=installed`).then((answer) => answer.body);
    vna.applyAll();
    expect(await resumed).toEqual({ installed: true, datapaths: [vna.uuid], revision });
  });

  it('that a datapath refuses is 502 with its error, and says that the change is committed', async () => {
    const { api } = await start((message) => (message.kind === 'snapshot' ? 'applies' : 'fails'));
    const response = await api.put('/api/networks/nw-a?wait=installed').send({ mtu: 1400 });
    expect(problem(response)).toMatchObject({ status: 502, type: 'datapath_error' });
    expect(response.text).toContain('table is full');
    expect(response.body).toMatchObject({ committed: true, revision: Number(response.headers['hotori-revision']) });
  });

  it('is cut short when the server stops, and says that the change is committed', async () => {
    const { api, stop } = await start((message) => (message.kind === 'snapshot' ? 'applies' : 'hangs'));
    const pending = api
      .put('/api/networks/nw-a?wait=installed')
      .send({ mtu: 1400 })
      .then((answer) => answer);
    await new Promise((resolve) => setTimeout(resolve, 50));
    stop();
    const response = await pending;
    expect([problem(response).type, response.body]).toEqual(['unavailable', expect.objectContaining({ committed: true })]);
  });
});

describe('waiting for the status', () => {
  it('is cut short when the server stops', async () => {
    const { api, stop } = await start(() => 'hangs');
    await api.put('/api/networks/nw-a').send({ mtu: 1400 });
    const pending = api.get('/api/status?wait=installed').then((answer) => answer);
    await new Promise((resolve) => setTimeout(resolve, 50));
    stop();
    expect(problem(await pending)).toEqual({ status: 503, type: 'unavailable', errors: [] });
  });

  it('is refused for a revision that is not there', async () => {
    const { api } = await startApi();
    expect(problem(await api.get('/api/status?wait=installed&revision=99')).type).toBe('invalid_argument');
    expect(problem(await api.get('/api/status?wait=installed&revision=other:0')).type).toBe('compacted');
  });
});

describe('the status', () => {
  it('says of each datapath what it has', async () => {
    const { api, vna } = await start(() => 'applies');
    const { body } = await api.get('/api/status');
    expect(body).toMatchObject({ version: expect.any(String), revision: expect.any(Number), incarnation: expect.any(String) });
    expect(body.datapaths).toEqual([
      {
        uuid: vna.uuid,
        connected: true,
        desired_revision: body.revision,
        applied_revision: body.revision,
        served_by: 'vnmgr',
        drift_repairs: 0,
        flow_count: 1,
        flow_mods: 1,
        last_error: null,
        conflicts: [],
        conditions: [],
      },
    ]);
  });
});

describe('the flows of a datapath', () => {
  it('are those its vna answers', async () => {
    const { api, vna } = await start(() => 'applies');
    const flow = {
      table: 0,
      table_name: 'CLASSIFY',
      priority: 100,
      text: 'in_port=1 actions=drop',
      cookie: '0x1',
      owners: ['if-a'],
      rule: 'port',
    };
    expect(problem(await api.get(`/api/datapaths/${vna.uuid}/flows`)).type).toBe('unavailable');
    vna.attachment.serveFlows((owner) => Promise.resolve(owner === 'if-b' ? [] : [flow]));
    expect((await api.get(`/api/datapaths/${vna.uuid}/flows`)).body).toEqual({ total_count: 1, items: [flow] });
    expect((await api.get(`/api/datapaths/${vna.uuid}/flows?owner=if-b`)).body).toEqual({ total_count: 0, items: [] });
    expect(problem(await api.get('/api/datapaths/dp-none/flows')).type).toBe('unknown_uuid');
  });
});

describe('a slice that is held back', () => {
  it('is accepted by its vna at the word of an operator', async () => {
    const { api, vna, vnmgr } = await start(() => 'applies');
    const accept = async (uuid: string) => {
      const { status, body } = await api.post(`/api/1.0/datapaths/${uuid}/accept_slice`);
      return [status, body.type ?? body];
    };
    const before = vnmgr.revision();
    const answers = [await accept(vna.uuid)];
    const held = [true];
    vna.attachment.serveAcceptance(() => Promise.resolve(held.pop() ?? false));
    for (const uuid of [vna.uuid, vna.uuid, 'dp-none']) answers.push(await accept(uuid));
    expect(answers).toEqual([
      [503, 'urn:hotori:error:unavailable'],
      [200, { accepted: true }],
      [200, { accepted: false }],
      [404, 'urn:hotori:error:unknown_uuid'],
    ]);
    expect(vnmgr.revision()).toEqual(before);
  });
});
