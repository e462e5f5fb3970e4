import { problem, startApi, type Api } from '../support.js';

const OPERATIONS = [
  { path: '/datapaths', body: { uuid: 'dp-1', display_name: '', dpid: '0x1', node_id: 'vna1' } },
  { path: '/datapaths', body: { uuid: 'dp-2', display_name: '', dpid: '0x2', node_id: 'vna2' } },
  { path: '/segments', body: { uuid: 'seg-1', mode: 'virtual' } },
  { path: '/networks', body: { uuid: 'nw-public1', ipv4_network: '172.16.90.0', network_mode: 'physical' } },
  { path: '/networks', body: { uuid: 'nw-vnet1', ipv4_network: '10.101.0.0' } },
  { path: '/route_links', body: { uuid: 'rl-1', mac_address: '02:00:10:00:00:01' } },
  {
    path: '/interfaces',
    body: {
      uuid: 'if-dp1eth0',
      mode: 'host',
      port_name: 'eth0',
      owner_datapath_uuid: 'dp-1',
      network_uuid: 'nw-public1',
      ipv4_address: '172.16.90.10',
    },
  },
].map((operation) => ({ method: 'POST', ...operation }));

async function start(): Promise<Api> {
  const { api } = await startApi();
  expect((await api.post('/api/batch').send({ operations: OPERATIONS })).status).toBe(200);
  return api;
}

/** As OpenVNet's own client asks: everything in the query, the form of the answer in the path. */
const asVnctl = (fields: Record<string, string>) => new URLSearchParams(fields).toString();

describe('what a datapath is connected to', () => {
  it.each([
    ['networks', 'nw-vnet1', 'datapath_network', { network_uuid: 'nw-vnet1' }],
    ['segments', 'seg-1', 'datapath_segment', { segment_uuid: 'seg-1' }],
    ['route_links', 'rl-1', 'datapath_route_link', { route_link_uuid: 'rl-1' }],
  ])('%s are added, listed with their rows, and removed', async (relation, target, kind, named) => {
    const api = await start();
    const query = asVnctl({ interface_uuid: 'if-dp1eth0', mac_address: '02:00:00:AA:00:01' });
    const added = await api.post(`/api/1.0/datapaths/dp-1/${relation}/${target}.json?${query}`);
    expect([added.status, added.body]).toEqual([
      200,
      expect.objectContaining({
        datapath_uuid: 'dp-1',
        interface_uuid: 'if-dp1eth0',
        mac_address: '02:00:00:aa:00:01',
        endpoint_address: '172.16.90.10',
        endpoint_network_uuid: 'nw-public1',
        ...named,
      }),
    ]);
    const { body } = await api.get(`/api/1.0/datapaths/dp-1/${relation}.json?limit=10&offset=0`);
    expect(body).toMatchObject({ total_count: 1, offset: 0, limit: 10, items: [{ uuid: target, [kind]: added.body }] });
    expect((await api.get(`/api/datapaths/dp-2/${relation}`)).body).toMatchObject({ total_count: 0, items: [] });

    const removed = await api.delete(`/api/1.0/datapaths/dp-1/${relation}/${target}.json`);
    expect([removed.status, removed.body]).toEqual([200, [target]]);
    expect((await api.get(`/api/datapaths/dp-1/${relation}`)).body.items).toEqual([]);
  });

  it('is refused with the reason', async () => {
    const api = await start();
    const at = '/api/datapaths/dp-1/networks/nw-vnet1';
    expect(problem(await api.post(at))).toEqual({ status: 400, type: 'missing_argument', errors: ['/interface_uuid is required'] });
    expect(problem(await api.post(`${at}?interface_uuid=if-dp1eth0&network_uuid=nw-public1`))).toEqual({
      status: 400,
      type: 'invalid_argument',
      errors: ['/network_uuid is said by the path'],
    });
    await api.post(`${at}?interface_uuid=if-dp1eth0`);
    const again = problem(await api.post(`${at}?interface_uuid=if-dp1eth0`));
    expect([again.status, again.type, again.errors]).toEqual([
      409,
      'conflict',
      [expect.stringMatching(/dp-1 has nw-vnet1 already, by dpn-\w{8}$/)],
    ]);
    for (const [path, type] of [
      ['/api/datapaths/dp-none/networks/nw-vnet1', 'unknown_uuid'],
      ['/api/datapaths/dp-1/networks/nw-none', 'unknown_uuid'],
      ['/api/datapaths/dp-1/networks/seg-1', 'invalid_uuid'],
      ['/api/datapaths/nw-vnet1/networks/nw-vnet1', 'invalid_uuid'],
    ] as const) {
      expect([path, problem(await api.post(`${path}?interface_uuid=if-dp1eth0`)).type]).toEqual([path, type]);
      expect([path, problem(await api.delete(path)).type]).toEqual([path, type]);
    }
    expect(problem(await api.delete('/api/datapaths/dp-2/networks/nw-vnet1'))).toMatchObject({
      type: 'unknown_uuid',
      errors: [' dp-2 has none of its datapath_networks with network_uuid nw-vnet1'],
    });
    expect((await api.put(`${at}?interface_uuid=if-dp1eth0`)).status).toBe(405);
  });
});

describe('the ports of an interface', () => {
  it('begin with its own place, and are added and removed by what they say', async () => {
    const api = await start();
    const at = '/api/1.0/interfaces/if-dp1eth0/ports';
    const own = { uuid: null, interface_uuid: 'if-dp1eth0', datapath_uuid: 'dp-1', port_name: 'eth0', singular: true };
    expect((await api.get(`${at}.json`)).body).toMatchObject({ total_count: 1, items: [own] });

    const added = await api.post(`${at}.json?${asVnctl({ datapath_uuid: 'dp-2', port_name: 'eth1', singular: 'true' })}`);
    expect([added.status, added.body]).toEqual([
      200,
      expect.objectContaining({ interface_uuid: 'if-dp1eth0', datapath_uuid: 'dp-2', port_name: 'eth1', singular: true }),
    ]);
    expect((await api.get(at)).body).toMatchObject({ total_count: 2, items: [own, added.body] });
    expect((await api.get(`${at}?limit=1&offset=1`)).body).toMatchObject({ total_count: 2, items: [added.body] });

    expect(problem(await api.delete(`${at}?datapath_uuid=dp-2&port_name=eth0`)).status).toBe(404);
    expect((await api.delete(`${at}.json?datapath_uuid=dp-1`)).body).toMatchObject([own]);
    expect((await api.get('/api/interfaces/if-dp1eth0')).body).toMatchObject({ owner_datapath_uuid: null, port_name: null });
    expect((await api.delete(at)).body).toMatchObject([added.body]);
    expect((await api.get(at)).body.items).toEqual([]);
  });
});

describe('a batch', () => {
  it('connects and disconnects, and sees what it has done before', async () => {
    const api = await start();
    const operations = [
      { method: 'POST', path: '/datapaths/dp-1/networks/nw-vnet1', body: { interface_uuid: 'if-dp1eth0' } },
      { method: 'POST', path: '/datapaths/dp-1/route_links/rl-1?interface_uuid=if-dp1eth0' },
      { method: 'DELETE', path: '/datapaths/dp-1/networks/nw-vnet1' },
      { method: 'DELETE', path: '/interfaces/if-dp1eth0/ports', body: { port_name: 'eth0' } },
      { method: 'POST', path: '/interfaces/if-dp1eth0/ports?datapath_uuid=dp-2' },
    ];
    const { status, body } = await api.post('/api/batch').send({ operations });
    expect([status, body.results.length]).toEqual([200, 5]);
    expect((await api.get('/api/datapath_networks')).body.total_count).toBe(0);
    expect((await api.get('/api/datapath_route_links')).body.items).toMatchObject([{ route_link_uuid: 'rl-1', endpoint_address: null }]);
    expect((await api.get('/api/interfaces/if-dp1eth0/ports')).body.items).toMatchObject([{ datapath_uuid: 'dp-2', port_name: null }]);
  });
});
