import { problem, startApi } from '../support.js';

const FORM = 'application/x-www-form-urlencoded';

describe('parameters', () => {
  it.each([
    [
      'a JSON body',
      undefined,
      'application/json',
      '{"uuid":"nw-a","ipv6_network":"2001:db8::","ipv6_prefix":64,"ipv6_slaac":true,"mtu":null,"dns_servers":["10.0.0.2","10.0.0.3"]}',
    ],
    [
      'a YAML body',
      undefined,
      'application/yaml',
      'uuid: nw-a\nipv6_network: "2001:db8::"\nipv6_prefix: 64\nipv6_slaac: true\nmtu: null\ndns_servers: [10.0.0.2, 10.0.0.3]\n',
    ],
    ['a form', undefined, FORM, 'uuid=nw-a&ipv6_network=2001:db8::&ipv6_prefix=64&ipv6_slaac=t&mtu=&dns_servers=10.0.0.2,10.0.0.3'],
    ['the query', 'uuid=nw-a&ipv6_network=2001:db8::&ipv6_prefix=64&ipv6_slaac=1&mtu=&dns_servers=["10.0.0.2","10.0.0.3"]', FORM, ''],
    [
      'both',
      'uuid=nw-a&ipv6_prefix=64&ipv6_slaac=true',
      'application/json',
      '{"ipv6_network":"2001:db8::","ipv6_prefix":64,"dns_servers":["10.0.0.2","10.0.0.3"]}',
    ],
  ])('may stand in %s', async (_, query, type, body) => {
    const { api } = await startApi();
    const { status, body: view } = await api
      .post(`/api/networks${query === undefined ? '' : `?${query}`}`)
      .set('Content-Type', type)
      .send(body);
    expect([status, view]).toEqual([
      200,
      expect.objectContaining({
        uuid: 'nw-a',
        ipv6_network: '2001:db8::',
        ipv6_prefix: 64,
        ipv6_slaac: true,
        mtu: null,
        dns_servers: ['10.0.0.2', '10.0.0.3'],
      }),
    ]);
  });

  it('may be rules as JSON text', async () => {
    const { api } = await startApi();
    const rules = [{ direction: 'ingress', protocol: 'tcp', ports: ['22'], remote: { any: true } }];
    const { body } = await api.post('/api/security_groups').query({ uuid: 'sg-a', rules: JSON.stringify(rules) });
    expect(body).toMatchObject({ uuid: 'sg-a', rules });
  });

  it('may be given twice with one value, and not with two', async () => {
    const { api } = await startApi();
    expect((await api.post('/api/segments?mode=virtual&mode=virtual').send({ mode: 'virtual' })).status).toBe(200);
    const { status, body } = await api.post('/api/segments?mode=virtual&uuid=seg-a').send({ mode: 'physical' });
    expect([status, (body as { errors: unknown }).errors]).toEqual([
      400,
      [{ pointer: '/mode', detail: 'is given twice with different values' }],
    ]);
  });

  it('of JSON are not converted from text', async () => {
    const { api } = await startApi();
    expect(problem(await api.post('/api/networks').send({ ipv4_network: '10.0.0.0', ipv4_prefix: '24', ipv6_slaac: 'true' }))).toEqual({
      status: 400,
      type: 'invalid_argument',
      errors: ['/ipv4_prefix must be a number', '/ipv6_slaac must be true or false'],
    });
  });

  it('in text that is no such value are refused as they are', async () => {
    const { api } = await startApi();
    const { errors } = problem(await api.post('/api/networks?ipv4_network=10.0.0.0&ipv4_prefix=024&ipv6_slaac=yes&mtu=0x5dc'));
    expect(errors.map((line) => line.split(' ', 1)[0])).toEqual(['/ipv4_prefix', '/ipv6_slaac', '/mtu']);
  });

  it('that are wrong are all named, those about the request among them', async () => {
    const { api } = await startApi();
    expect(problem(await api.post('/api/segments?wait=maybe&timeout=1000&mode=flat&colour=red&a~b/c=1')).errors).toEqual([
      expect.stringMatching(/^\/wait /),
      expect.stringMatching(/^\/timeout /),
      expect.stringMatching(/^\/mode /),
      '/colour segment has no such parameter',
      '/a~0b~1c segment has no such parameter',
    ]);
  });

  it.each([
    '/api/segments?limit=0',
    '/api/segments?limit=1001',
    '/api/segments?offset=-1',
    '/api/segments?limit=ten',
    '/api/segments?colour=red',
    '/api/status?wait=forever',
    '/api/watch?from=x',
  ])('of GET are checked: %s', async (path) => {
    const { api } = await startApi();
    const { status, errors } = problem(await api.get(path));
    expect([status, errors.length]).toEqual([400, 1]);
  });

  it('of DELETE are checked', async () => {
    const { api } = await startApi();
    await api.post('/api/segments').send({ uuid: 'seg-a', mode: 'virtual' });
    expect(problem(await api.delete('/api/segments/seg-a?cascade=maybe&mode=virtual')).errors).toEqual([
      '/mode there is no such parameter here',
      expect.stringMatching(/^\/cascade /),
    ]);
    expect((await api.delete('/api/segments/seg-a').type('form').send('cascade=true')).body).toEqual(['seg-a']);
  });

  it('named __proto__ are unknown, and harmless', async () => {
    const { api } = await startApi();
    const { errors } = problem(
      await api.post('/api/segments?__proto__=1').set('Content-Type', 'application/json').send('{"mode":"virtual","constructor":{}}'),
    );
    expect(errors).toEqual(['/constructor segment has no such parameter', '/__proto__ segment has no such parameter']);
  });
});
