import { startTraceWorld, type TraceWorld } from '../../controller/trace/trace-world.js';
import { traceAnswerSchema } from '../../../flows/trace/explain/answer.js';
import { problem, startApi, type Api } from '../support.js';

const PATH = '/api/1.0/traces';
let asked: TraceWorld;
let api: Api;
beforeAll(async () => {
  asked = await startTraceWorld();
  await asked.world.create('interface', { uuid: 'if-four', mode: 'vif', network_uuid: 'nw-a', ipv4_address: '10.1.0.44' });
  ({ api } = await startApi({ controller: asked.world.vnmgr }));
  asked.one.confirm();
  asked.two.confirm();
});
afterAll(() => asked.world.vnmgr.close());

const ssh = { source: 'if-a1', destination: 'if-b2', protocol: 'tcp', destination_port: 22 };

describe('POST /traces', () => {
  it('answers what its schema says', async () => {
    const { status, body } = await api.post(PATH).send(ssh);
    expect([status, (body as { verdict: string }).verdict]).toEqual([200, 'delivered']);
    expect(traceAnswerSchema.parse(body)).toEqual(body);
  });

  it('takes a batch to try, and commits nothing of it', async () => {
    const { number } = asked.world.vnmgr.revision();
    const batch = { operations: [{ method: 'PUT', path: '/interfaces/if-b2', body: { security_group_uuids: [] } }] };
    const { body } = await api.post(PATH).send({ ...ssh, destination_port: 443, with: batch });
    expect([(body as { verdict: string }).verdict, asked.world.vnmgr.revision().number]).toEqual(['delivered', number]);
  });

  it.each<[string, object, { status: number; type: string; errors: string[] }]>([
    [
      'ports without a protocol that has them',
      { ...ssh, protocol: 'icmp', source_port: 5 },
      {
        status: 400,
        type: 'invalid_argument',
        errors: [
          '/source_port icmp has no ports; only tcp, udp and sctp do',
          '/destination_port icmp has no ports; only tcp, udp and sctp do',
        ],
      },
    ],
    [
      'a protocol without its port',
      { source: 'if-a1', destination: 'if-b2', protocol: 'udp', icmp_type: 3 },
      {
        status: 400,
        type: 'invalid_argument',
        errors: ['/destination_port is missing: udp goes to a port', '/icmp_type udp has none; only icmp and icmpv6 do'],
      },
    ],
    [
      'an interface that is not there',
      { ...ssh, source: 'if-nobody' },
      { status: 422, type: 'invalid_reference', errors: ['/source there is no interface if-nobody'] },
    ],
    [
      'an IPv6 address and an IPv4 source',
      { ...ssh, source: 'if-four', destination: 'fd00:2::12' },
      { status: 400, type: 'invalid_argument', errors: ['/destination is IPv6, and if-four has no such address'] },
    ],
    ['a revision that is not there yet', { ...ssh, revision: 1_000_000 }, { status: 400, type: 'invalid_argument', errors: [] }],
    ['a revision of another store', { ...ssh, revision: 'gone:1' }, { status: 410, type: 'compacted', errors: [] }],
    [
      'a batch that does not parse',
      { ...ssh, with: { operations: [{ method: 'PUT', path: '/interfaces/if-b2', body: { security_group_uuids: 7 } }] } },
      { status: 400, type: 'invalid_argument', errors: ['/with/operations/0/body/security_group_uuids must be a list'] },
    ],
    [
      'a batch that would be refused',
      { ...ssh, with: { operations: [{ method: 'DELETE', path: '/security_groups/sg-web' }] } },
      { status: 409, type: 'still_referenced', errors: ['/with/operations/0 still referred to by if-b2'] },
    ],
    [
      'what is no parameter',
      { ...ssh, colour: 'red' },
      { status: 400, type: 'invalid_argument', errors: ['/colour a trace has no such parameter'] },
    ],
  ])('refuses %s, and changes nothing', async (_what, body, expected) => {
    const { number } = asked.world.vnmgr.revision();
    const { status, type, errors } = problem(await api.post(PATH).send(body));
    expect([{ status, type, errors }, asked.world.vnmgr.revision().number]).toEqual([expected, number]);
  });
});
