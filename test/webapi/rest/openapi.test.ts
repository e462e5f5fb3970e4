import { Validator } from '@seriousme/openapi-schema-validator';
import { KINDS } from '../../../flows/model/entities.js';
import { endpointsFor } from '../../../webapi/rest/endpoints.js';
import { startApi } from '../support.js';

const LIMITS = { heartbeatMs: 1000, stallMs: 1000, maxClients: 1 };

describe('the description of the API', () => {
  it('is valid OpenAPI 3.1 that names every endpoint', async () => {
    const { api, controller } = await startApi();
    const { body: document } = await api.get('/api/1.0/openapi.json');
    const result = await new Validator().validate(structuredClone(document));
    expect(result.errors ?? []).toEqual([]);
    expect([result.valid, document.openapi]).toEqual([true, '3.1.0']);
    const described = Object.entries<object>(document.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(described.sort()).toEqual(
      endpointsFor(controller, LIMITS)
        .map(({ method, path }) => `${method} ${path}`)
        .sort(),
    );
    expect(Object.keys(document.components.schemas)).toEqual(expect.arrayContaining(['Datapath', 'Interface', 'SecurityGroup', 'Problem']));
  });

  it('is YAML as well', async () => {
    const { api } = await startApi();
    expect((await api.get('/api/openapi.yml').buffer(true)).text).toMatch(/^openapi: 3\.1\.0\n/);
  });

  it('describes the answers there are', async () => {
    const { api, controller } = await startApi();
    const operations = [
      { path: '/datapaths', body: { uuid: 'dp-a', display_name: '', dpid: '0x1', node_id: 'hv1' } },
      { path: '/segments', body: { uuid: 'seg-a', mode: 'virtual' } },
      { path: '/networks', body: { uuid: 'nw-a', ipv4_network: '10.0.0.0', segment_uuid: 'seg-a' } },
      {
        path: '/security_groups',
        body: { uuid: 'sg-a', rules: [{ direction: 'ingress', protocol: 'icmp', remote: { cidr: '10.0.0.0/8' } }] },
      },
      {
        path: '/interfaces',
        body: { uuid: 'if-a', mode: 'vif', network_uuid: 'nw-a', ipv4_address: '10.0.0.5', security_group_uuids: ['sg-a'] },
      },
      {
        path: '/interfaces',
        body: { uuid: 'if-r', mode: 'simulated', enable_routing: true, network_uuid: 'nw-a', ipv4_address: '10.0.0.1' },
      },
      { path: '/route_links', body: { uuid: 'rl-a' } },
      {
        path: '/routes',
        body: {
          uuid: 'r-a',
          interface_uuid: 'if-r',
          network_uuid: 'nw-a',
          route_link_uuid: 'rl-a',
          ipv4_network: '10.0.0.0',
          ipv4_prefix: 24,
        },
      },
      { path: '/policy_routes', body: { route_link_uuid: 'rl-a', priority: 1, type: 'blackhole' } },
      { path: '/routers', body: { networks: [{ network_uuid: 'nw-a', ip_address: '10.0.0.2' }] } },
      { path: '/network_services', body: { uuid: 'ns-a', mode: 'dhcp', interface_uuid: 'if-r' } },
      { path: '/interfaces', body: { uuid: 'if-h', mode: 'host', network_uuid: 'nw-a', ipv4_address: '10.0.0.9' } },
      { path: '/interface_ports', body: { uuid: 'ifp-a', interface_uuid: 'if-h', datapath_uuid: 'dp-a', port_name: 'eth0' } },
      { path: '/datapath_networks', body: { uuid: 'dpn-a', datapath_uuid: 'dp-a', network_uuid: 'nw-a', interface_uuid: 'if-h' } },
      { path: '/datapath_segments', body: { uuid: 'dpseg-a', datapath_uuid: 'dp-a', segment_uuid: 'seg-a', interface_uuid: 'if-h' } },
      { path: '/datapath_route_links', body: { uuid: 'dprl-a', datapath_uuid: 'dp-a', route_link_uuid: 'rl-a', interface_uuid: 'if-h' } },
      { path: '/datapaths', body: { uuid: 'dp-b', display_name: 'b', node_id: 'b', dpid: '0xb' } },
      { path: '/tunnels', body: { uuid: 't-a', datapath_uuid: 'dp-a', peer_datapath_uuid: 'dp-b', encapsulation: 'gre' } },
      { path: '/address_sets', body: { uuid: 'as-a', addresses: ['192.0.2.0/24'] } },
      { path: '/filters', body: { uuid: 'fil-a', interface_uuid: 'if-a', mode: 'static', statics: [{ protocol: 'tcp', action: 'conn' }] } },
      { path: '/floating_ips', body: { uuid: 'fip-a', network_uuid: 'nw-a', ip_address: '10.0.0.50', route_link_uuid: 'rl-a' } },
      { path: '/nat_rules', body: { uuid: 'nat-a', network_uuid: 'nw-a', ip_address: '10.0.0.1', route_link_uuid: 'rl-a' } },
      { path: '/translations', body: { uuid: 'tr-a', interface_uuid: 'if-r', mode: 'static_address' } },
    ].map((operation) => ({ method: 'POST', ...operation }));
    const batch = await api.post('/api/batch?wait=installed').send({ operations });
    expect(batch.status).toBe(200);
    const endpoints = new Map(endpointsFor(controller, LIMITS).map((endpoint) => [endpoint.operation_id, endpoint]));
    const check = (operation: string, body: unknown) =>
      expect(endpoints.get(operation)!.answer.safeParse(body).error?.issues ?? []).toEqual([]);
    check('batch', batch.body);
    for (const [kind, { collection }] of Object.entries(KINDS)) {
      const list = (await api.get(`/api/${collection}`)).body;
      check(`list_${collection}`, list);
      expect(list.total_count).toBeGreaterThan(0);
      check(`show_${kind}`, (await api.get(`/api/${collection}/${list.items[0].uuid}`)).body);
    }
    check('status', (await api.get('/api/status')).body);
    check('status', (await api.get('/api/status?wait=installed')).body);
    check('update_network', (await api.put('/api/networks/nw-a?wait=installed').send({ mtu: 1400 })).body);
    check('delete_network_service', (await api.delete('/api/network_services/ns-a')).body);
  });
});
