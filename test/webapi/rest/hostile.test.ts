import fc from 'fast-check';
import { KINDS, type UserKind } from '../../../flows/model/entities.js';
import { INPUTS } from '../../../flows/model/inputs.js';
import { startApi } from '../support.js';

const kinds = Object.keys(KINDS) as UserKind[];
const names = [...new Set(kinds.flatMap((kind) => Object.keys(INPUTS[kind].create.shape)))];

/** Half of it makes sense somewhere. */
const value = fc.oneof(
  fc.constantFrom(
    'nw-a',
    'if-a',
    'if-r',
    'ml-a',
    'sg-a',
    'rl-a',
    'seg-a',
    'dp-a',
    'virtual',
    'vif',
    'simulated',
    'dhcp',
    'gateway',
    true,
    false,
    null,
    0,
    24,
    64,
    1500,
  ),
  fc.constantFrom(
    '10.0.0.0',
    '10.0.0.5',
    '2001:db8::',
    '010.0.0.1',
    '::ffff:1.2.3.4',
    '02:00:00:00:00:05',
    'ff:ff:ff:ff:ff:ff',
    '0x1',
    '1e3',
    '١',
  ),
  fc.jsonValue({ maxDepth: 3 }),
);
const params = fc.dictionary(fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...names) }, fc.string()), value, { maxKeys: 8 });
const uuid = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('nw-a', 'if-a', 'if-r', 'sg-a', 'rl-a', 'dp-a', 'seg-a') },
  fc.string({ minLength: 1 }),
);
const operation = fc.record({
  method: fc.constantFrom('POST', 'PUT', 'DELETE'),
  kind: fc.constantFrom(...kinds),
  uuid,
  params,
  cascade: fc.boolean(),
});

const pathOf = ({ method, kind, uuid: one }: { method: string; kind: UserKind; uuid: string }): string =>
  `/${KINDS[kind].collection}${method === 'POST' ? '' : `/${encodeURIComponent(one)}`}`;

describe('the API', () => {
  it('answers whatever it is sent, and a refusal changes nothing', async () => {
    const { api } = await startApi();
    for (const body of [
      { path: '/networks', body: { uuid: 'nw-a', ipv4_network: '10.0.0.0' } },
      { path: '/segments', body: { uuid: 'seg-a', mode: 'virtual' } },
      { path: '/security_groups', body: { uuid: 'sg-a' } },
      {
        path: '/interfaces',
        body: { uuid: 'if-a', mode: 'vif', network_uuid: 'nw-a', ipv4_address: '10.0.0.9', security_group_uuids: ['sg-a'] },
      },
    ])
      expect((await api.post(`/api${body.path}`).send(body.body)).status).toBe(200);

    const revision = async (): Promise<number> => (await api.get('/api/status')).body.revision;
    const check = async (send: () => Promise<{ status: number; headers: Record<string, string>; text: string }>) => {
      const before = await revision();
      const { status, headers, text } = await send();
      if (status === 200) return;
      expect([text, status >= 400 && status < 500]).toEqual([text, true]);
      expect([headers['content-type'], await revision()]).toEqual(['application/problem+json', before]);
    };
    await fc.assert(
      fc.asyncProperty(
        fc.array(operation, { minLength: 1, maxLength: 4 }),
        fc.constantFrom('json', 'form', 'query', 'batch'),
        async (operations, how) => {
          if (how === 'batch') {
            const sent = operations.map((one) => ({ method: one.method, path: pathOf(one), body: one.params }));
            return check(async () => api.post('/api/batch').send({ operations: sent }));
          }
          for (const one of operations) {
            const url = `/api${pathOf(one)}`;
            const request = () => api[one.method.toLowerCase() as 'post'](url);
            const text = new URLSearchParams(
              Object.entries(one.params).map(
                ([name, item]) => [name, typeof item === 'string' ? item : JSON.stringify(item)] as [string, string],
              ),
            );
            const body = one.method === 'DELETE' ? { cascade: one.cascade } : one.params;
            await check(async () => {
              if (how === 'json') return request().send(body);
              if (how === 'form') return request().type('form').send(text.toString());
              return request().query(text.toString());
            });
          }
        },
      ),
      { numRuns: 80 },
    );
  }, 30_000);
});
