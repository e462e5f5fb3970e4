import { problem, startApi } from '../support.js';

const network = (uuid: string, more: object = {}) => ({
  method: 'POST',
  path: '/networks',
  body: { uuid, ipv4_network: '10.0.0.0', ...more },
});

describe('a batch', () => {
  it('is one revision, and answers what each operation would alone', async () => {
    const { api } = await startApi();
    await api.post('/api/segments').send({ uuid: 'seg-old', mode: 'virtual' });
    const { status, body, headers } = await api.post('/api/1.0/batch').send({
      operations: [
        network('nw-a'),
        { method: 'PUT', path: '/api/1.0/networks/nw-a', body: { mtu: 1400 } },
        { method: 'POST', path: 'api/interfaces?mode=vif&network_uuid=nw-a', body: { uuid: 'if-a', ipv4_address: '10.0.0.5' } },
        { method: 'DELETE', path: '/segments/seg-old.json?cascade=true' },
      ],
    });
    expect([status, headers['hotori-revision']]).toEqual([200, '2']);
    expect(body).toMatchObject({ revision: 2, changed: true });
    expect(body.results.map((result: { uuid?: string }) => result.uuid ?? result)).toEqual(['nw-a', 'nw-a', 'if-a', ['seg-old']]);
    expect((await api.get('/api/networks/nw-a')).body).toMatchObject({ mtu: 1400 });
  });

  it('changes nothing when one operation is refused, and points at every reason in what was sent', async () => {
    const { api } = await startApi();
    const before = (await api.get('/api/status')).body;
    const response = await api.post('/api/batch').send({
      operations: [
        network('nw-a'),
        network('nw-b', { dns_servers: ['10.0.0.x'], colour: 'red' }),
        { method: 'PUT', path: '/networks/nw-a', body: { mtu: 1 } },
        {
          method: 'POST',
          path: '/security_groups',
          body: { uuid: 'sg-a', rules: [{ direction: 'ingress', protocol: 'tcp', ports: ['70000'], remote: { any: true } }] },
        },
        { method: 'PUT', path: '/networks/nw-none', body: { mtu: 1400 } },
        { method: 'DELETE', path: '/segments/seg-none' },
      ],
    });
    const said = problem(response);
    expect([said.status, said.errors.map((line) => line.split(' ', 1)[0])]).toEqual([
      400,
      [
        '/operations/1/body/dns_servers/0',
        '/operations/1/body/colour',
        '/operations/2/body/mtu',
        '/operations/3/body/rules/0/ports/0',
        '/operations/4',
        '/operations/5',
      ],
    ]);
    expect((await api.get('/api/status')).body).toEqual(before);
  });

  it('of one operation points at it the same way', async () => {
    const { api } = await startApi();
    expect(problem(await api.post('/api/batch').send({ operations: [network('nw-a', { mtu: 1 })] })).errors).toEqual([
      expect.stringMatching(/^\/operations\/0\/body\/mtu /),
    ]);
    expect(problem(await api.post('/api/batch').send({ operations: [{ method: 'DELETE', path: '/networks/nw-a' }] })).errors).toEqual([
      '/operations/0 there is no network nw-a',
    ]);
  });

  it.each<[string, unknown, string[]]>([
    ['no operations', {}, ['/operations is required']],
    ['operations that are no list', { operations: {} }, ['/operations ']],
    ['unknown members', { operations: [{ ...network('nw-a'), extra: 1 }], more: 1 }, ['/operations/0/extra ', '/more ']],
    ['an unknown method', { operations: [{ method: 'GET', path: '/networks' }] }, ['/operations/0/method ']],
    [
      'an unknown path',
      {
        operations: [
          { method: 'POST', path: '/networks.xml' },
          { method: 'POST', path: '/batch' },
        ],
      },
      ['/operations/0/path ', '/operations/1/path '],
    ],
    ['a uuid of another kind', { operations: [{ method: 'PUT', path: '/networks/if-a' }] }, ['/operations/0/path ']],
    [
      'a path and method that do not fit',
      {
        operations: [
          { method: 'PUT', path: '/networks' },
          { method: 'POST', path: '/networks/nw-a' },
        ],
      },
      ['/operations/0/path ', '/operations/1/path '],
    ],
    [
      'a body where none belongs',
      { operations: [{ method: 'DELETE', path: '/networks/nw-a', body: { mtu: 1 } }] },
      ['/operations/0/body/mtu '],
    ],
    [
      'a query against the body',
      { operations: [{ method: 'POST', path: '/segments?mode=virtual', body: { mode: 'physical' } }] },
      ['/operations/0/body/mode is given twice'],
    ],
  ])('with %s is refused', async (_, body, expected) => {
    const { api } = await startApi();
    const said = problem(await api.post('/api/batch').send(body as object));
    expect([said.status, said.errors.map((line, i) => line.slice(0, expected[i]?.length))]).toEqual([400, expected]);
  });

  it('without operations is no change', async () => {
    const { api } = await startApi();
    const { revision } = (await api.get('/api/status')).body;
    expect((await api.post('/api/batch').send({ operations: [] })).body).toEqual({ revision, changed: false, results: [] });
  });

  it('takes 20,000 operations and more than 16 MiB', async () => {
    const { api } = await startApi();
    const operations = Array.from({ length: 20_000 }, (_, i) => ({
      method: 'POST',
      path: '/segments',
      body: { uuid: `seg-${i}`, mode: 'virtual', display_name: 'x'.repeat(255) },
    }));
    const text = JSON.stringify({ operations }) + ' '.repeat(17 * 1024 * 1024);
    const { status, body } = await api.post('/api/batch').set('Content-Type', 'application/json').send(text);
    expect([status, body.results.length]).toEqual([200, 20_000]);
    expect((await api.get('/api/segments')).body.total_count).toBe(20_000);
  });
});
