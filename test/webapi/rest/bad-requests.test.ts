import { ERROR_CODES } from '../../../flows/model/errors.js';
import { problem, startApi, startController } from '../support.js';

const MIB = 1024 * 1024;

async function stateOf(api: Awaited<ReturnType<typeof startApi>>['api']): Promise<unknown> {
  return (await api.get('/api/status')).body;
}

describe('a bad request', () => {
  it.each<[string, string, string, number, string, RegExp]>([
    ['broken JSON', 'application/json', '{"mode": "virtual"', 400, 'malformed_body', /^ the body is not JSON: /],
    ['JSON that is no object', 'application/json', '["mode"]', 400, 'malformed_body', /^ the body must be an object/],
    ['broken YAML', 'application/yaml', 'mode: [virtual', 400, 'malformed_body', /^ the body is not YAML: /],
    [
      'a YAML alias bomb',
      'text/yaml',
      `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefgh'
        .split('')
        .map((c, i) => `${c}: &${c} [${Array(9).fill(`*${'abcdefgh'[i]!}`).join()}]`)
        .join('\n')}\n`,
      400,
      'malformed_body',
      /^ the body is not YAML that can be read: /,
    ],
    ['YAML that is no object', 'application/yaml', '5', 400, 'malformed_body', /^ the body must be an object/],
    [
      'JSON sent as a form',
      'application/x-www-form-urlencoded',
      '{"mode":"virtual"}',
      400,
      'malformed_body',
      /Content-Type: application\/json$/,
    ],
    [
      'broken percent-encoding',
      'application/x-www-form-urlencoded',
      'mode=virtual&display_name=%zz',
      400,
      'malformed_body',
      /^ the body has a %/,
    ],
    ['a form that is not UTF-8', 'application/x-www-form-urlencoded', 'mode=virtual&display_name=%ff', 400, 'malformed_body', /UTF-8/],
    ['XML', 'application/xml', '<mode/>', 415, 'unsupported_media_type', /^$/],
    [
      'deeply nested JSON',
      'application/json',
      `{"display_name":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
      400,
      'invalid_argument',
      /^\/display_name /,
    ],
  ])('with %s is refused and changes nothing', async (_, type, body, status, code, reason) => {
    const { api } = await startApi();
    const before = await stateOf(api);
    const response = await api.post('/api/segments').set('Content-Type', type).send(body);
    const said = problem(response);
    expect([said.status, said.type]).toEqual([status, code]);
    expect(said.errors[0] ?? '').toMatch(reason);
    expect(await stateOf(api)).toEqual(before);
  });

  it('that is compressed is refused', async () => {
    const { api } = await startApi();
    const packed = await api.post('/api/segments').set('Content-Type', 'application/json').set('Content-Encoding', 'gzip').send('{}');
    expect(problem(packed).type).toBe('unsupported_media_type');
  });

  it('with a body over the limit is refused', async () => {
    const { api } = await startApi();
    const text = JSON.stringify({ mode: 'virtual', display_name: 'x'.repeat(2 * MIB) });
    const response = await api.post('/api/segments').set('Content-Type', 'application/json').send(text);
    expect(problem(response)).toEqual({ status: 413, type: 'body_too_large', errors: [] });
    expect(response.body).toMatchObject({ limit: MIB });
  });

  it('with 10,001 rules is refused and changes nothing, with 10,000 it is not', async () => {
    const { api } = await startApi();
    const rules = (count: number) =>
      Array.from({ length: count }, (_, n) => ({
        ...{ uuid: `sgr-number${n}`, direction: 'ingress', action: 'allow', priority: 500, stateful: true, persist_established: false },
        ...{ family: 'ipv4', protocol: 'tcp', ports: [`${n + 1}`, `${20_000 + n}-${30_000 + n}`], remote: { any: true } },
      }));
    const before = await stateOf(api);
    const refused = problem(await api.post('/api/security_groups').send({ uuid: 'sg-a', rules: rules(10_001) }));
    const unchanged = await stateOf(api);
    const taken = await api.post('/api/security_groups').send({ uuid: 'sg-a', rules: rules(10_000) });
    expect([refused, unchanged, taken.status]).toEqual([
      { status: 400, type: 'invalid_argument', errors: ['/rules must have at most 10000 items'] },
      before,
      200,
    ]);
  });

  it.each([
    ['GET', '/api/1.0/nothing', 404, 'unknown_path'],
    ['GET', '/', 404, 'unknown_path'],
    ['GET', '/api/1.0', 404, 'unknown_path'],
    ['GET', '/api/1.0/networks/nw-a/more', 404, 'unknown_path'],
    ['GET', '/api/1.0/networks.xml', 404, 'unknown_path'],
    ['GET', '/api/1.0/networks/nw-a.json.yml', 404, 'unknown_path'],
    ['GET', '/api/1.0/NETWORKS', 404, 'unknown_path'],
    ['GET', '/api/1.0/networks/if-a', 400, 'invalid_uuid'],
    ['GET', '/api/1.0/networks/nw-A', 400, 'invalid_uuid'],
    ['GET', `/api/1.0/networks/nw-${'a'.repeat(33)}`, 400, 'invalid_uuid'],
    ['PUT', '/api/1.0/networks/nw-', 400, 'invalid_uuid'],
    ['DELETE', '/api/1.0/networks/nw-a%2fb', 400, 'invalid_uuid'],
    ['GET', '/api/1.0/networks/nw-a%zz', 400, 'invalid_argument'],
    ['POST', '/api/1.0/segments?mode=virtual&display_name=%c3', 400, 'invalid_argument'],
    ['GET', '/api/1.0/networks/nw-a', 404, 'unknown_uuid'],
    ['PUT', '/api/1.0/networks/nw-a', 404, 'unknown_uuid'],
    ['DELETE', '/api/1.0/networks/nw-a', 404, 'unknown_uuid'],
    ['DELETE', '/api/1.0/networks', 405, 'method_not_allowed'],
    ['POST', '/api/1.0/networks/nw-a', 405, 'method_not_allowed'],
    ['PATCH', '/api/1.0/networks/nw-a', 405, 'method_not_allowed'],
    ['GET', '/api/1.0/batch', 405, 'method_not_allowed'],
  ] as const)('%s %s is %i %s', async (method, path, status, code) => {
    const { api } = await startApi();
    const said = problem(await api[method.toLowerCase() as 'get'](path));
    expect([said.status, said.type]).toEqual([status, code]);
  });

  it('names the methods that are possible', async () => {
    const { api } = await startApi();
    expect((await api.patch('/api/networks/nw-a')).headers['allow']).toBe('GET, PUT, DELETE');
  });

  it('from a page of another origin changes nothing', async () => {
    const { api } = await startApi();
    const post = (origin: string) => api.post('/api/segments?mode=virtual').set('Host', 'hv:9090').set('Origin', origin);
    for (const origin of ['http://evil.example', 'null', 'https://hv:9091']) expect(problem(await post(origin)).type).toBe('cross_origin');
    expect((await post('http://hv:9090')).status).toBe(200);
  });

  it('is answered with everything OpenVNet and RFC 9457 ask for', async () => {
    const { api } = await startApi();
    const { body, headers } = await api.get('/api/1.0/networks/nw-none').set('X-Request-Id', 'mine-1');
    expect(headers['x-request-id']).toBe('mine-1');
    expect(body).toEqual({
      type: 'urn:hotori:error:unknown_uuid',
      title: 'Unknown uuid',
      status: 404,
      detail: 'there is no network nw-none',
      errors: [{ pointer: '', detail: 'there is no network nw-none', uuid: 'nw-none' }],
      request_id: 'mine-1',
      error: `Vnet::Endpoints::Errors::${ERROR_CODES.unknown_uuid.legacy}`,
      code: '100',
      message: 'there is no network nw-none',
    });
  });
});

describe('a defect', () => {
  it('is logged with its stack and shown to nobody', async () => {
    const controller = await startController();
    const broken = new Proxy(controller, {
      get: (target, name) =>
        name === 'list'
          ? () => {
              throw new Error('secret detail');
            }
          : Reflect.get(target, name),
    });
    const { api, log } = await startApi({ controller: broken });
    const response = await api.get('/api/networks');
    expect(problem(response)).toEqual({ status: 500, type: 'internal', errors: [] });
    expect(response.text).not.toMatch(/secret|\.ts|at /);
    expect(log.find(({ level }) => level === 50)).toMatchObject({
      request_id: 'req-1',
      route: '/networks',
      err: { message: 'secret detail' },
    });
  });
});

describe('the log', () => {
  it('has a line for each request, with the template of its path', async () => {
    const { api, log } = await startApi();
    await api.post('/api/networks').send({ uuid: 'nw-a', ipv4_network: '10.0.0.0' });
    await api.get('/api/1.0/networks/nw-a.yml?x=1');
    await api.get('/nowhere');
    expect(log.map(({ request_id, method, route, status, ms }) => [request_id, method, route, status, typeof ms])).toEqual([
      ['req-1', 'POST', '/networks', 200, 'number'],
      ['req-2', 'GET', '/networks/{uuid}', 400, 'number'],
      ['req-3', 'GET', null, 404, 'number'],
    ]);
  });
});

describe('health', () => {
  it('is live always and ready until the server stops', async () => {
    const { api, stop } = await startApi();
    const both = async () => [(await api.get('/livez')).status, (await api.get('/readyz')).status];
    expect(await both()).toEqual([200, 200]);
    stop();
    expect(await both()).toEqual([200, 503]);
  });
});
