import { startApi } from '../support.js';

const NETWORK = { uuid: 'nw-a', ipv4_network: '10.0.0.0', ipv4_prefix: 24 };

describe('a collection', () => {
  it('creates, shows, changes and deletes an entity', async () => {
    const { api } = await startApi();
    const created = await api.post('/api/1.0/networks').send({ ...NETWORK, display_name: 'blue' });
    expect([created.status, created.headers['hotori-revision']]).toEqual([200, '1']);
    expect(created.body).toMatchObject({ ...NETWORK, display_name: 'blue', mode: 'virtual', mtu: null });

    const shown = await api.get('/api/1.0/networks/nw-a');
    expect(shown.body).toEqual(created.body);
    expect(shown.headers['etag']).toBe(created.headers['etag']);

    const changed = await api.put('/api/1.0/networks/nw-a').send({ mtu: 1400 });
    expect([changed.status, changed.headers['hotori-revision']]).toEqual([200, '2']);
    expect(changed.body).toMatchObject({ ...NETWORK, display_name: 'blue', mtu: 1400 });

    const deleted = await api.delete('/api/1.0/networks/nw-a');
    expect([deleted.status, deleted.body, deleted.headers['hotori-revision']]).toEqual([200, ['nw-a'], '3']);
    expect((await api.get('/api/1.0/networks/nw-a')).status).toBe(404);
  });

  it('is reached by the alias /api as well', async () => {
    const { api } = await startApi();
    await api.post('/api/networks').send(NETWORK);
    expect((await api.get('/api/1.0/networks/nw-a')).body).toEqual((await api.get('/api/networks/nw-a')).body);
  });

  it('makes up a uuid when none is chosen', async () => {
    const { api } = await startApi();
    const { body } = await api.post('/api/networks').send({ ipv4_network: '10.0.0.0' });
    expect((body as { uuid: string }).uuid).toMatch(/^nw-[a-z0-9]{8,}$/);
  });

  it('is listed in uuid order, 30 at a time, with the revision', async () => {
    const { api } = await startApi();
    const operations = Array.from({ length: 35 }, (_, i) => ({
      method: 'POST',
      path: '/segments',
      body: { uuid: `seg-${String(35 - i).padStart(2, '0')}`, mode: 'virtual' },
    }));
    await api.post('/api/batch').send({ operations });
    const first = await api.get('/api/segments');
    expect(first.body).toMatchObject({ total_count: 35, offset: 0, limit: 30, revision: 1 });
    expect((first.body as { items: { uuid: string }[] }).items.map(({ uuid }) => uuid)).toEqual(
      Array.from({ length: 30 }, (_, i) => `seg-${String(i + 1).padStart(2, '0')}`),
    );
    const rest = await api.get('/api/segments?limit=1000&offset=30');
    expect((rest.body as { items: { uuid: string }[] }).items.map(({ uuid }) => uuid)).toEqual([
      'seg-31',
      'seg-32',
      'seg-33',
      'seg-34',
      'seg-35',
    ]);
    expect((await api.get('/api/segments?offset=99')).body).toMatchObject({ total_count: 35, items: [] });
  });

  it('answers YAML when the path ends in .yml, quoted for readers of YAML 1.1', async () => {
    const { api } = await startApi();
    await api.post('/api/datapaths.json').send({ uuid: 'dp-a', display_name: '12:34:56', dpid: '1', node_id: 'no' });
    const { text, headers } = await api.get('/api/datapaths/dp-a.yml').buffer(true);
    expect(headers['content-type']).toBe('application/yaml; charset=utf-8');
    expect(text.split('\n').slice(0, 4)).toEqual(['uuid: dp-a', 'display_name: "12:34:56"', 'dpid: "0x0000000000000001"', 'node_id: "no"']);
    expect((await api.delete('/api/datapaths/dp-a.yml').buffer(true)).text).toBe('- dp-a\n');
  });

  it('answers HEAD as GET without a body', async () => {
    const { api } = await startApi();
    await api.post('/api/networks').send(NETWORK);
    const { status, headers, text } = await api.head('/api/networks/nw-a');
    expect([status, text ?? '']).toEqual([200, '']);
    expect(headers['etag']).toBeDefined();
  });
});

describe('an entity tag', () => {
  it('stays while the entity does, and changes with it', async () => {
    const { api } = await startApi();
    await api.post('/api/networks').send(NETWORK);
    const tag = async () => (await api.get('/api/networks/nw-a')).headers['etag']!;
    const before = await tag();
    await api.post('/api/segments').send({ mode: 'virtual' });
    expect(await tag()).toBe(before);
    await api.put('/api/networks/nw-a').send({ mtu: 1400 });
    expect(await tag()).not.toBe(before);
    expect(before).toMatch(/^"[^"]+"$/);
  });

  it('guards a change with If-Match', async () => {
    const { api } = await startApi();
    const { headers } = await api.post('/api/networks').send(NETWORK);
    const changed = await api.put('/api/networks/nw-a').set('If-Match', `"other", ${headers['etag']!}`).send({ mtu: 1400 });
    expect(changed.status).toBe(200);
    for (const stale of [headers['etag']!, 'W/"1"', '"other"', 'nonsense', `W/${changed.headers['etag']!}`])
      expect((await api.put('/api/networks/nw-a').set('If-Match', stale).send({ mtu: 1500 })).status).toBe(412);
    expect((await api.delete('/api/networks/nw-a').set('If-Match', headers['etag']!)).status).toBe(412);
    expect((await api.get('/api/networks/nw-a')).body).toMatchObject({ mtu: 1400 });
    expect((await api.delete('/api/networks/nw-a').set('If-Match', '*')).status).toBe(200);
  });

  it('saves an answer with If-None-Match', async () => {
    const { api } = await startApi();
    const { headers } = await api.post('/api/networks').send(NETWORK);
    const same = await api.get('/api/networks/nw-a').set('If-None-Match', headers['etag']!);
    expect([same.status, same.text, same.headers['etag']]).toEqual([304, '', headers['etag']]);
    expect((await api.get('/api/networks/nw-a').set('If-None-Match', '"other"')).status).toBe(200);
    const list = await api.get('/api/networks');
    const again = () => api.get('/api/networks').set('If-None-Match', `"older", ${list.headers['etag']!}`);
    expect((await again()).status).toBe(304);
    await api.post('/api/segments').send({ mode: 'virtual' });
    expect((await again()).status).toBe(200);
  });
});
